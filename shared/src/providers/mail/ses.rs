//! SES.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::message::Mailbox;
use uuid::Uuid;

use super::{AwsError, EVENT_HEADER, Letter, MailError};
use crate::config::MailConfig;
use crate::resilience::{CallError, Intent, call};

/// Sends through SES.
#[derive(Debug)]
pub(super) struct Ses {
    client: Client,
    from: String,
    identity: Option<String>,
}

impl Ses {
    pub(super) fn new(aws: &SdkConfig, config: &MailConfig) -> Self {
        Self {
            client: Client::new(aws),
            from: in_ascii(&config.from),
            identity: config.identity.clone(),
        }
    }

    pub(super) async fn send(&self, id: Uuid, letter: &Letter) -> Result<(), CallError<MailError>> {
        call(Intent::MailSend, || async {
            let content = content(id, letter).map_err(|_| MailError::Unwritable)?;
            let send = self
                .client
                .send_email()
                .from_email_address(&self.from)
                .destination(Destination::builder().to_addresses(&letter.to).build())
                .content(content);
            let sent = send.send().await.map(drop).map_err(AwsError::from);
            sent.map_err(MailError::from)
        })
        .await
    }

    /// Whether it knows the identity that mails are sent as.
    pub(super) async fn probe(&self) -> Option<Result<(), CallError<MailError>>> {
        let identity = self.identity.as_ref()?;
        let asked = call(Intent::MailSend, || async {
            let question = self.client.get_email_identity().email_identity(identity);
            let answer = question.send().await.map(drop).map_err(AwsError::from);
            answer.map_err(MailError::from)
        });
        Some(asked.await)
    }
}

fn content(id: Uuid, letter: &Letter) -> Result<EmailContent, BuildError> {
    let body = Body::builder()
        .text(utf8(&letter.text)?)
        .html(utf8(&letter.html)?)
        .build();
    let header = MessageHeader::builder().name(EVENT_HEADER).value(id);
    let message = Message::builder()
        .subject(utf8(&letter.subject)?)
        .body(body)
        .headers(header.build()?)
        .build();
    Ok(EmailContent::builder().simple(message).build())
}

fn utf8(text: &str) -> Result<Content, BuildError> {
    Content::builder().charset("UTF-8").data(text).build()
}

/// SES takes a sender's name only in ASCII: as encoded words (RFC 2047) of at most 75 characters.
fn in_ascii(sender: &str) -> String {
    const BYTES_MAX: usize = 45;
    let named = |mailbox: Mailbox| Some((mailbox.name?, mailbox.email));
    match sender.parse().ok().and_then(named) {
        Some((name, address)) if !name.is_ascii() => {
            let mut words = vec![String::new()];
            for letter in name.chars() {
                match words.last_mut() {
                    Some(word) if word.len() + letter.len_utf8() <= BYTES_MAX => word.push(letter),
                    _ => words.push(letter.to_string()),
                }
            }
            let encoded = words
                .iter()
                .map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
            format!("{} <{address}>", encoded.collect::<Vec<_>>().join(" "))
        }
        _ => sender.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn senders_name_is_written_in_ascii() {
        let plain = "Holdfast <shop@shop.example>";
        assert_eq!(in_ascii(plain), plain);
        assert_eq!(
            in_ascii("Käse <shop@shop.example>"),
            "=?UTF-8?B?S8Okc2U=?= <shop@shop.example>"
        );
        let long = in_ascii(&format!("{} <shop@shop.example>", "Ü".repeat(40)));
        assert!(long.is_ascii());
        assert!(long.split(' ').all(|word| word.len() <= 75), "{long}");
    }
}
