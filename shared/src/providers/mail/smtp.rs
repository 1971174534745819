//! A server that takes mail by SMTP, over TLS. One connection per mail: a frozen
//! environment cannot keep one, and a pool would need a task of its own.

use lettre::message::{Mailbox, MultiPart, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::{EVENT_HEADER, Letter, MailError};
use crate::clock;
use crate::config;
use crate::providers::secrets::Secrets;
use crate::resilience::{CallError, Intent, call};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// TLS from the first byte (RFC 8314).
const SUBMISSIONS: u16 = 465;

/// Sends through an SMTP server.
#[derive(Debug)]
pub(super) struct Smtp {
    server: config::Smtp,
    from: String,
    secrets: Secrets,
}

/// What signs in at the server.
#[derive(Deserialize)]
struct Login {
    username: String,
    password: SecretString,
}

impl Smtp {
    pub(super) fn new(server: &config::Smtp, from: &str, secrets: &Secrets) -> Self {
        Self {
            server: server.clone(),
            from: from.to_owned(),
            secrets: secrets.clone(),
        }
    }

    pub(super) async fn send(&self, id: Uuid, letter: &Letter) -> Result<(), CallError<MailError>> {
        call(Intent::MailSendSecondary, || async {
            let message = message(&self.from, id, letter).map_err(|_| MailError::Unwritable)?;
            match &self.server.secret_id {
                Some(id) => self.sign_in_and_send(id, message).await,
                None => self.send_as(None, message).await,
            }
        })
        .await
    }

    /// With the login in the secret `id`; if that is refused, with whichever it holds just now.
    async fn sign_in_and_send(&self, id: &str, message: Message) -> Result<(), MailError> {
        let login = self.secrets.json(id).await.map_err(MailError::Login)?;
        let refused = match self.send_as(Some(login), message.clone()).await {
            Err(refused @ MailError::LoginRefused) => refused,
            answer => return answer,
        };
        for text in self.secrets.versions(id).await {
            let Ok(login) = serde_json::from_str(text.expose_secret()) else {
                continue;
            };
            match self.send_as(Some(login), message.clone()).await {
                Err(MailError::LoginRefused) => {}
                answer => {
                    self.secrets.keep(id, text);
                    return answer;
                }
            }
        }
        Err(refused)
    }

    async fn send_as(&self, login: Option<Login>, message: Message) -> Result<(), MailError> {
        let sent = self.transport(login)?.send(message).await.map(drop);
        sent.map_err(MailError::from)
    }

    /// Whether it greets. Nobody signs in.
    pub(super) async fn probe(&self) -> Result<(), CallError<MailError>> {
        call(Intent::MailSendSecondary, || async {
            let greeted = self.transport(None)?.test_connection().await.map(drop);
            greeted.map_err(MailError::from)
        })
        .await
    }

    fn transport(&self, login: Option<Login>) -> Result<Transport, MailError> {
        let config::Smtp {
            host, port, tls, ..
        } = &self.server;
        let builder = match (tls, *port) {
            (false, _) => Ok(Transport::builder_dangerous(host)),
            (true, SUBMISSIONS) => Transport::relay(host),
            (true, _) => Transport::starttls_relay(host),
        };
        let mut builder = builder?.port(*port);
        if let Ok(sender) = self.from.parse::<Mailbox>() {
            builder = builder.hello_name(ClientId::Domain(sender.email.domain().to_owned()));
        }
        if let Some(login) = login {
            let password = login.password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(login.username, password));
        }
        Ok(builder.build())
    }
}

/// The whole mail, with an id that is the same whenever it is sent again.
fn message(
    from: &str,
    id: Uuid,
    letter: &Letter,
) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
    let from: Mailbox = from.parse()?;
    let to = Mailbox::new(None, letter.to.parse::<Address>()?);
    let message_id = format!("<{id}@{}>", from.email.domain());
    let event = header::HeaderName::new_from_ascii_str(EVENT_HEADER);
    let message = Message::builder()
        .from(from)
        .to(to)
        .subject(&letter.subject)
        .date(clock::now().into())
        .message_id(Some(message_id))
        .raw_header(header::HeaderValue::new(event, id.to_string()));
    let body = MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone());
    Ok(message.multipart(body)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::mail::one_line;

    fn letter(to: &str, subject: &str) -> Letter {
        Letter {
            to: to.to_owned(),
            subject: one_line(subject),
            text: "Grüße".to_owned(),
            html: "<p>Grüße</p>".to_owned(),
        }
    }

    fn formatted(letter: &Letter) -> String {
        let message = message("Käse <shop@shop.example>", Uuid::nil(), letter).unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    #[test]
    fn mail_has_both_forms_and_the_same_id_each_time() {
        let text = formatted(&letter("ada@example.com", "Danke schön"));
        assert!(text.is_ascii(), "{text}");
        let id = "00000000-0000-0000-0000-000000000000";
        for part in [
            "multipart/alternative",
            "text/plain",
            "text/html",
            &format!("Message-ID: <{id}@shop.example>"),
            &format!("X-Event-Id: {id}"),
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn nothing_that_is_given_becomes_a_header_of_its_own() {
        let text = formatted(&letter("ada@example.com", "Hello\r\nBcc: eve@example.com"));
        let headers = text.split("\r\n\r\n").next().unwrap();
        assert!(!headers.contains("\r\nBcc"), "{headers}");
        let injected = letter("ada@example.com\r\nBcc: eve@example.com", "Hello");
        assert!(message("shop@shop.example", Uuid::nil(), &injected).is_err());
    }
}
