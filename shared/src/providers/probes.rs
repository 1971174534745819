//! Asks what is outside whether it is there, with the least that gets an answer, and
//! whatever its breaker says: how that stands is shown beside it.
//! Used by readiness alone, so the clients are made when first asked.

use std::sync::OnceLock;

use aws_config::SdkConfig;

use super::mail::{Mail, MailError};
use super::secrets::Secrets;
use super::{AwsError, http_client};
use crate::config::OpsConfig;
use crate::domain::events::Queue;
use crate::resilience::{CallError, Intent, probe};

/// Why a dependency counts as gone. Names no host and quotes no message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// No answer within the policy's time.
    #[error("does not answer in time")]
    TimedOut,
    /// No answer, or an answer that says it cannot serve.
    #[error("{0}")]
    Failed(String),
    /// The question was not asked.
    #[error("was not asked: {0}")]
    NotAsked(&'static str),
}

/// Asks each dependency.
#[derive(Clone)]
pub struct Probes {
    aws: SdkConfig,
    clients: OnceLock<Clients>,
    secrets: Secrets,
    mail: Mail,
    public_keys: String,
    carts_table: String,
    orders_queue_url: String,
    media_bucket: String,
    payments_url: String,
}

#[derive(Clone)]
struct Clients {
    dynamodb: aws_sdk_dynamodb::Client,
    sqs: aws_sdk_sqs::Client,
    s3: aws_sdk_s3::Client,
    http: reqwest::Client,
}

impl Probes {
    /// Asks through `aws` for the things that `config` names.
    pub fn new(aws: &SdkConfig, config: &OpsConfig, secrets: Secrets, mail: Mail) -> Self {
        Self {
            aws: aws.clone(),
            clients: OnceLock::new(),
            secrets,
            mail,
            public_keys: config.edge.jwt_public.clone(),
            carts_table: config.carts_table.clone(),
            orders_queue_url: config
                .base
                .queues
                .get(Queue::Orders)
                .unwrap_or_default()
                .to_owned(),
            media_bucket: config.media_bucket.clone(),
            payments_url: config.payments_url.clone(),
        }
    }

    /// DynamoDB, by the table of carts.
    ///
    /// # Errors
    /// It is gone, or the table is.
    pub async fn dynamodb(&self) -> Result<(), ProbeError> {
        let client = &self.clients().dynamodb;
        let asked = probe(Intent::DynamoRead, || async {
            let question = client.describe_table().table_name(&self.carts_table);
            question.send().await.map(drop).map_err(AwsError::from)
        });
        reached(asked.await)
    }

    /// SQS, by the queue of orders. Under the policy of sending, which is what callers do there.
    ///
    /// # Errors
    /// It is gone, or the queue is.
    pub async fn sqs(&self) -> Result<(), ProbeError> {
        let client = &self.clients().sqs;
        let asked = probe(Intent::QueueSend, || async {
            let question = client
                .get_queue_attributes()
                .queue_url(&self.orders_queue_url);
            question.send().await.map(drop).map_err(AwsError::from)
        });
        reached(asked.await)
    }

    /// S3, by the bucket of pictures.
    ///
    /// # Errors
    /// It is gone, or the bucket is.
    pub async fn s3(&self) -> Result<(), ProbeError> {
        let client = &self.clients().s3;
        let asked = probe(Intent::ObjectRead, || async {
            let question = client.head_bucket().bucket(&self.media_bucket);
            question.send().await.map(drop).map_err(AwsError::from)
        });
        reached(asked.await)
    }

    /// Secrets Manager, by the public signing keys, past what is kept of them: each
    /// region by itself, the replica's if there is one.
    pub async fn secretsmanager(&self) -> Vec<Result<(), ProbeError>> {
        let asked = self.secrets.probe(&self.public_keys).await;
        asked.into_iter().map(reached).collect()
    }

    /// SES, by the identity that mails are sent as; `None` when that is not known.
    ///
    /// # Errors
    /// It is gone, or the identity is.
    pub async fn mail(&self) -> Option<Result<(), ProbeError>> {
        self.mail.probe_ses().await.map(reached)
    }

    /// The second mail provider; `None` when there is none.
    ///
    /// # Errors
    /// It is gone.
    pub async fn mail_secondary(&self) -> Option<Result<(), ProbeError>> {
        self.mail.probe_smtp().await.map(reached)
    }

    /// The payment provider, without credentials: any answer but a failure shows that it is there.
    ///
    /// # Errors
    /// It is gone.
    pub async fn payments(&self) -> Result<(), ProbeError> {
        let client = &self.clients().http;
        let url = format!("{}/v1/balance", self.payments_url.trim_end_matches('/'));
        let asked = probe(Intent::PaymentRead, || async {
            let answer = client.get(&url).send().await.map_err(|_| Gone::Silent)?;
            let status = answer.status().as_u16();
            if status >= 500 {
                return Err(Gone::Answered(status));
            }
            Ok(())
        });
        reached(asked.await)
    }

    fn clients(&self) -> &Clients {
        self.clients.get_or_init(|| Clients {
            dynamodb: aws_sdk_dynamodb::Client::new(&self.aws),
            sqs: aws_sdk_sqs::Client::new(&self.aws),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&self.aws)
                    // Bucket names as host names do not resolve at an endpoint of our own.
                    .force_path_style(self.aws.endpoint_url().is_some())
                    .build(),
            ),
            http: http_client(),
        })
    }
}

fn reached<T, E: Said>(outcome: Result<T, CallError<E>>) -> Result<(), ProbeError> {
    match outcome {
        Ok(_) => Ok(()),
        Err(CallError::Failed { source, .. }) => Err(ProbeError::Failed(source.said())),
        Err(CallError::TimedOut { .. }) => Err(ProbeError::TimedOut),
        Err(CallError::NotStarted { reason, .. }) => Err(ProbeError::NotAsked(reason)),
    }
}

/// What a failure is called where anyone may read it.
trait Said {
    fn said(&self) -> String;
}

impl Said for AwsError {
    /// A dependency that refuses is of no more use than one that is gone.
    fn said(&self) -> String {
        match self.is_denial() {
            true => "access is denied".to_owned(),
            false => self.code.clone(),
        }
    }
}

impl Said for MailError {
    fn said(&self) -> String {
        match self {
            Self::Ses(what, _) | Self::Smtp(what, _) => what.clone(),
            Self::LoginRefused | Self::Login(_) | Self::Unwritable => self.to_string(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Gone {
    #[error("cannot be reached")]
    Silent,
    #[error("answers {0}")]
    Answered(u16),
}

impl Said for Gone {
    fn said(&self) -> String {
        self.to_string()
    }
}
