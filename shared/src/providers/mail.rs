//! Where mail is handed over: SES, and a second provider that speaks SMTP.

mod ses;
mod smtp;

use std::sync::Arc;

use aws_config::SdkConfig;
use uuid::Uuid;

use super::AwsError;
use super::secrets::{SecretError, Secrets};
use crate::config::MailConfig;
use crate::resilience::{CallError, Class, Classify, Targets, failover};
use ses::Ses;
use smtp::Smtp;

/// The header that tells a mail from its duplicate, whichever provider carried it:
/// SES puts a `Message-ID` of its own in place of any that is given.
const EVENT_HEADER: &str = "X-Event-Id";

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

/// Why a provider did not take a mail. Never in the provider's own words, which
/// like to repeat the address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// SES is away or refuses it; the service's error code.
    #[error("SES did not take the mail: {0}")]
    Ses(String, Class),
    /// The SMTP server is away or refuses it; its status code or what kind of failure it was.
    #[error("the SMTP server did not take the mail: {0}")]
    Smtp(String, Class),
    /// The SMTP server does not know the login.
    #[error("the SMTP server refuses the login")]
    LoginRefused,
    /// The login of the SMTP server cannot be read.
    #[error("the SMTP login cannot be read")]
    Login(#[source] SecretError),
    /// The sender or the recipient is no address that can be written down.
    #[error("the mail cannot be written")]
    Unwritable,
}

impl Classify for MailError {
    /// Never the caller's fault: what one provider refuses another may take.
    fn class(&self) -> Class {
        match self {
            Self::Ses(_, Class::Transient) | Self::Smtp(_, Class::Transient) | Self::Login(_) => {
                Class::Transient
            }
            Self::Ses(..) | Self::Smtp(..) | Self::LoginRefused | Self::Unwritable => {
                Class::Permanent
            }
        }
    }
}

impl From<AwsError> for MailError {
    fn from(error: AwsError) -> Self {
        let class = error.class();
        match error.is_denial() {
            true => Self::Ses("access is denied".to_owned(), class),
            false => Self::Ses(error.code, class),
        }
    }
}

/// "Authentication credentials invalid" (RFC 4954).
const LOGIN_REFUSED: u16 = 535;

impl From<lettre::transport::smtp::Error> for MailError {
    fn from(error: lettre::transport::smtp::Error) -> Self {
        if error.status().map(u16::from) == Some(LOGIN_REFUSED) {
            return Self::LoginRefused;
        }
        let class = if error.is_permanent() || error.is_client() {
            Class::Permanent
        } else {
            Class::Transient
        };
        let what = match error.status() {
            Some(status) => format!("status {status}"),
            None if error.is_client() => "refused by the client".to_owned(),
            None if error.is_tls() => "no TLS".to_owned(),
            None => "cannot be reached".to_owned(),
        };
        Self::Smtp(what, class)
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
    pub fn new(aws: &SdkConfig, config: MailConfig, secrets: &Secrets) -> Self {
        let smtp = config.smtp.as_ref();
        let smtp = smtp.map(|smtp| Provider::Smtp(Smtp::new(smtp, &config.from, secrets)));
        Self {
            providers: Arc::new(Targets::new(Provider::Ses(Ses::new(aws, &config)), smtp)),
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
