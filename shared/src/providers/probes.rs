//! Asks what is outside whether it is there, with the least that gets an answer, and
//! whatever its breaker says: how that stands is shown beside it.
//! Used by readiness alone, so the clients are made when first asked.

use std::sync::OnceLock;

use aws_config::SdkConfig;

use super::AwsError;
use super::secrets::{SecretError, Secrets};
use crate::config::Config;
use crate::resilience::{CallError, Intent, probe};

/// What a dependency that is there said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// It answered the question.
    Served,
    /// It answered that this function may not ask, and so it is there.
    Refused,
}

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
    pub fn new(aws: &SdkConfig, config: &Config, secrets: Secrets) -> Self {
        Self {
            aws: aws.clone(),
            clients: OnceLock::new(),
            secrets,
            public_keys: config.secrets.jwt_public.clone(),
            carts_table: config.carts_table.clone(),
            orders_queue_url: config.orders_queue_url.clone(),
            media_bucket: config.media.bucket.clone(),
            payments_url: config.payments_url.clone(),
        }
    }

    /// DynamoDB, by the table of carts.
    ///
    /// # Errors
    /// It is gone, or the table is.
    pub async fn dynamodb(&self) -> Result<Reached, ProbeError> {
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
    pub async fn sqs(&self) -> Result<Reached, ProbeError> {
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
    pub async fn s3(&self) -> Result<Reached, ProbeError> {
        let client = &self.clients().s3;
        let asked = probe(Intent::ObjectRead, || async {
            let question = client.head_bucket().bucket(&self.media_bucket);
            question.send().await.map(drop).map_err(AwsError::from)
        });
        reached(asked.await)
    }

    /// Secrets Manager, by the public signing keys, past what is kept of them.
    ///
    /// # Errors
    /// It is gone, or the secret is.
    pub async fn secretsmanager(&self) -> Result<Reached, ProbeError> {
        match self.secrets.read(&self.public_keys).await {
            Ok(_) => Ok(Reached::Served),
            Err(SecretError::Unavailable(_, error)) => reached::<()>(Err(error)),
            Err(SecretError::Shape(_)) => Err(ProbeError::Failed("holds no text".to_owned())),
        }
    }

    /// The payment provider, without credentials: any answer but a failure shows that it is there.
    ///
    /// # Errors
    /// It is gone.
    pub async fn payments(&self) -> Result<Reached, ProbeError> {
        let client = &self.clients().http;
        let url = format!("{}/v1/balance", self.payments_url.trim_end_matches('/'));
        let asked = probe(Intent::PaymentRead, || async {
            let answer = client.get(&url).send().await.map_err(|_| Gone::Silent)?;
            let status = answer.status().as_u16();
            if status >= 500 {
                return Err(Gone::Answered(status));
            }
            Ok(status)
        });
        match asked.await {
            Ok(200..300) => Ok(Reached::Served),
            Ok(_) => Ok(Reached::Refused),
            Err(CallError::Failed { source, .. }) => Err(ProbeError::Failed(source.to_string())),
            Err(CallError::TimedOut { .. }) => Err(ProbeError::TimedOut),
            Err(CallError::NotStarted { reason, .. }) => Err(ProbeError::NotAsked(reason)),
        }
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
            http: reqwest::Client::new(),
        })
    }
}

fn reached<T>(outcome: Result<T, CallError<AwsError>>) -> Result<Reached, ProbeError> {
    match outcome {
        Ok(_) => Ok(Reached::Served),
        Err(CallError::Failed { source, .. }) if is_refusal(&source) => Ok(Reached::Refused),
        Err(CallError::Failed { source, .. }) => Err(ProbeError::Failed(source.code)),
        Err(CallError::TimedOut { .. }) => Err(ProbeError::TimedOut),
        Err(CallError::NotStarted { reason, .. }) => Err(ProbeError::NotAsked(reason)),
    }
}

/// A refusal of a `HEAD` has no body, and so no code: only its status tells.
fn is_refusal(error: &AwsError) -> bool {
    error.status == Some(403)
        || matches!(
            error.code.as_str(),
            "AccessDenied" | "AccessDeniedException"
        )
}

#[derive(Debug, thiserror::Error)]
enum Gone {
    #[error("cannot be reached")]
    Silent,
    #[error("answers {0}")]
    Answered(u16),
}
