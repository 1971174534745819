//! Where mail is handed over: SES, and a second provider that speaks SMTP.

mod ses;
mod smtp;

use std::sync::Arc;

use aws_config::SdkConfig;
use uuid::Uuid;

use super::AwsError;
use super::secrets::{SecretError, Secrets};
use crate::config::Config;
use crate::resilience::{CallError, Class, Classify, Targets, failover};
use ses::Ses;
use smtp::Smtp;

/// The header that tells a mail from its duplicate, whichever provider carried it:
/// SES puts a `Message-ID` of its own in place of any that is given.
const EVENT_HEADER: &str = "X-Event-Id";

/// A mail, ready to be sent.
#[derive(Debug, Clone)]
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

/// Why a provider did not take a mail.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// SES is away or refuses it.
    #[error("SES did not take the mail")]
    Ses(#[source] AwsError),
    /// The SMTP server is away or refuses it.
    #[error("the SMTP server did not take the mail")]
    Smtp(#[source] lettre::transport::smtp::Error),
    /// The login of the SMTP server cannot be read.
    #[error("the SMTP login cannot be read")]
    Login(#[source] SecretError),
    /// The sender or the recipient is no address that can be written down.
    #[error("the mail cannot be written")]
    Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Classify for MailError {
    /// Never the caller's fault: what one provider refuses another may take.
    fn class(&self) -> Class {
        match self {
            Self::Ses(error) if error.class() != Class::Transient => Class::Permanent,
            Self::Smtp(error) if error.is_permanent() || error.is_client() => Class::Permanent,
            Self::Unwritable(_) => Class::Permanent,
            Self::Ses(_) | Self::Smtp(_) | Self::Login(_) => Class::Transient,
        }
    }
}

/// One way to hand a mail over.
#[derive(Debug)]
enum Provider {
    Ses(Ses),
    Smtp(Smtp),
}

impl Provider {
    async fn send(&self, id: Uuid, letter: &Letter) -> Result<(), CallError<MailError>> {
        match self {
            Self::Ses(ses) => ses.send(id, letter).await,
            Self::Smtp(smtp) => smtp.send(id, letter).await,
        }
    }
}

/// Sends mail.
#[derive(Clone)]
pub struct Mail {
    providers: Arc<Targets<Provider>>,
}

impl Mail {
    /// Sends through `aws` as the sender that `config` names and, while that is
    /// away, through the SMTP server that it names.
    pub fn new(aws: &SdkConfig, config: &Config, secrets: &Secrets) -> Self {
        let smtp = config.smtp.as_ref();
        let smtp = smtp.map(|smtp| Provider::Smtp(Smtp::new(smtp, config, secrets)));
        Self {
            providers: Arc::new(Targets::new(Provider::Ses(Ses::new(aws, config)), smtp)),
        }
    }

    /// Hands a mail over; `id` is the same whenever the same mail is sent again.
    /// When an answer is lost the mail may arrive twice: no provider has a key that
    /// would tell the second from the first, only its reader has.
    ///
    /// # Errors
    /// No provider took it; what the last one said.
    pub async fn send(&self, id: Uuid, letter: Letter) -> Result<(), CallError<MailError>> {
        let letter = &Letter {
            subject: one_line(&letter.subject),
            ..letter
        };
        failover(&self.providers, |provider| provider.send(id, letter)).await
    }

    /// Whether SES would send; `None` when it is not known as whom.
    ///
    /// # Errors
    /// It is away, or does not know the sender.
    pub async fn probe_ses(&self) -> Option<Result<(), CallError<MailError>>> {
        match self.providers.all().next() {
            Some(Provider::Ses(ses)) => ses.probe().await,
            _ => None,
        }
    }

    /// Whether the SMTP server greets; `None` when there is none.
    ///
    /// # Errors
    /// It is away.
    pub async fn probe_smtp(&self) -> Option<Result<(), CallError<MailError>>> {
        match self.providers.all().nth(1) {
            Some(Provider::Smtp(smtp)) => Some(smtp.probe().await),
            _ => None,
        }
    }
}

/// A line break in a header would begin another header.
fn one_line(text: &str) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(printable).collect()
}
