//! `mail`: what was sent, through the emulator's SES and through the SMTP sink.

use crate::emulator;
use anyhow::{Context, Result, bail};
use clap::Args;
use local::{Stack, smtp};
use serde::Deserialize;
use std::collections::HashMap;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

#[derive(Args)]
pub(crate) struct Options {
    /// The number of a mail in the list, or its id
    id: Option<String>,
}

struct Mail {
    id: String,
    via: &'static str,
    sent_at: f64,
    headers: Vec<(String, String)>,
    text: String,
}

/// Lists the mails, or shows one.
///
/// # Errors
/// The emulator is away, or there is no such mail.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let mut mails = from_ses(stack).await?;
    mails.extend(from_sink(stack).await?);
    mails.sort_by(|a, b| a.sent_at.total_cmp(&b.sent_at));
    match &options.id {
        None => list(&mails),
        Some(id) => show(find(&mails, id)?),
    }
    Ok(())
}

fn list(mails: &[Mail]) {
    if mails.is_empty() {
        println!("No mail was sent yet.");
    }
    for (index, mail) in mails.iter().enumerate() {
        let (to, subject) = (mail.header("To"), mail.header("Subject"));
        println!(
            "{:>4}  {}  {:<4}  {to:<34}  {subject}",
            index + 1,
            mail.time(),
            mail.via
        );
    }
}

fn show(mail: &Mail) {
    println!("Id: {}\nVia: {}\nSent: {}", mail.id, mail.via, mail.time());
    for (name, value) in &mail.headers {
        println!("{name}: {value}");
    }
    println!("\n{}", mail.text.trim_end());
}

fn find<'a>(mails: &'a [Mail], id: &str) -> Result<&'a Mail> {
    let numbered = id
        .parse::<usize>()
        .ok()
        .and_then(|number| mails.get(number.checked_sub(1)?));
    numbered
        .or_else(|| mails.iter().find(|mail| mail.id == id))
        .with_context(|| format!("There is no mail `{id}`. The list: cargo holdfast mail"))
}

impl Mail {
    fn header(&self, wanted: &str) -> &str {
        let found = self
            .headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map_or("", |(_, value)| value)
    }

    fn time(&self) -> String {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "Whole seconds are what is shown."
        )]
        let at = OffsetDateTime::from_unix_timestamp(self.sent_at as i64);
        at.ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct SesPage {
    messages: HashMap<String, Vec<SesMail>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SesMail {
    message_id: String,
    source: String,
    to: Vec<String>,
    #[serde(rename = "CC")]
    cc: Vec<String>,
    subject: String,
    body_text: Option<String>,
    timestamp: f64,
}

async fn from_ses(stack: &Stack) -> Result<Vec<Mail>> {
    let page: SesPage = emulator::page(stack, "/_ministack/ses/messages").await?;
    Ok(page
        .messages
        .into_values()
        .flatten()
        .map(Mail::from)
        .collect())
}

impl From<SesMail> for Mail {
    fn from(sent: SesMail) -> Self {
        let mut headers = vec![
            ("From".into(), sent.source),
            ("To".into(), sent.to.join(", ")),
        ];
        if !sent.cc.is_empty() {
            headers.push(("Cc".into(), sent.cc.join(", ")));
        }
        headers.push(("Subject".into(), sent.subject));
        let text = sent.body_text.unwrap_or_default();
        Self {
            id: sent.message_id,
            via: "SES",
            sent_at: sent.timestamp,
            headers,
            text,
        }
    }
}

#[derive(Deserialize)]
struct SinkMail {
    id: String,
    sent_at: f64,
    headers: Vec<(String, String)>,
    text: String,
}

/// Python's mail parser reads what the sink took: it is there anyway, and complete.
async fn from_sink(stack: &Stack) -> Result<Vec<Mail>> {
    if !smtp::mailbox(stack).exists() {
        return Ok(Vec::new());
    }
    let output = tokio::process::Command::new(stack.tool("python"))
        .arg(stack.root().join("local/mail/read.py"))
        .arg(smtp::mailbox(stack))
        .output()
        .await
        .context("Cannot run the Python of the tools environment. Remedy: cargo holdfast up")?;
    if !output.status.success() {
        bail!(
            "The mailbox cannot be read: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let mails: Vec<SinkMail> = serde_json::from_slice(&output.stdout)?;
    Ok(mails
        .into_iter()
        .map(|m| Mail {
            id: m.id,
            via: "SMTP",
            sent_at: m.sent_at,
            headers: m.headers,
            text: m.text,
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_found_by_its_number_and_by_its_id() {
        let mail = |id: &str| Mail {
            id: id.into(),
            via: "SES",
            sent_at: 0.0,
            headers: vec![],
            text: "".into(),
        };
        let mails = [mail("a"), mail("b")];
        assert_eq!(find(&mails, "2").unwrap().id, "b");
        assert_eq!(find(&mails, "a").unwrap().id, "a");
        assert!(find(&mails, "0").is_err() && find(&mails, "3").is_err());
    }
}
