//! SES: where mail is handed over.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::BuildError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};

use super::AwsError;
use crate::config::Config;
use crate::resilience::{CallError, Intent, call};

/// A mail, ready to be sent.
#[derive(Clone)]
pub struct Letter {
    /// The address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The mail as plain text.
    pub text: String,
    /// The mail as HTML.
    pub html: String,
}

/// Why a mail was not handed over.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The provider is away or refuses it.
    #[error("the mail was not taken")]
    Refused(#[from] CallError<AwsError>),
    /// A part of it is missing.
    #[error("the mail is not complete")]
    Incomplete(#[from] BuildError),
}

/// Sends mail.
#[derive(Clone)]
pub struct Mail {
    client: Client,
    from: String,
}

impl Mail {
    /// Sends through `aws` as the sender that `config` names.
    pub fn new(aws: &SdkConfig, config: &Config) -> Self {
        Self {
            client: Client::new(aws),
            from: config.shop.mail_from.clone(),
        }
    }

    /// Hands a mail over. When an answer is lost it may be sent twice: SES has no key
    /// that would tell the second from the first.
    ///
    /// # Errors
    /// The provider did not take it.
    pub async fn send(&self, letter: Letter) -> Result<(), MailError> {
        let destination = Destination::builder().to_addresses(letter.to).build();
        let body = Body::builder()
            .text(utf8(letter.text)?)
            .html(utf8(letter.html)?)
            .build();
        let message = Message::builder()
            .subject(utf8(letter.subject)?)
            .body(body)
            .build();
        let content = EmailContent::builder().simple(message).build();
        call(Intent::MailSend, || async {
            self.client
                .send_email()
                .from_email_address(&self.from)
                .destination(destination.clone())
                .content(content.clone())
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }
}

fn utf8(text: String) -> Result<Content, BuildError> {
    Content::builder().charset("UTF-8").data(text).build()
}
