//! Secrets Manager in two regions, with the last good value kept while both are away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{Builder, Region};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::AwsError;
use crate::clock;
use crate::config::SecretsReplica;
use crate::domain::sealed::SealKey;
use crate::domain::sessions::SessionKey;
use crate::resilience::policies::{SECRET_READ_PAUSE, SECRET_TTL};
use crate::resilience::{CallError, Intent, Targets, call, failover};

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read now and was never read before.
    #[error("secret {0} cannot be read")]
    Unavailable(String, #[source] CallError<AwsError>),
    /// Its value is not what it should be. The value itself is never shown.
    #[error("secret {0} does not have the expected shape")]
    Shape(String),
}

#[derive(Debug, Clone)]
struct Kept {
    value: SecretString,
    read_at: OffsetDateTime,
}

/// One region of Secrets Manager.
#[derive(Debug, Clone)]
struct Store {
    client: Client,
    intent: Intent,
}

impl Store {
    async fn read(&self, id: &str) -> Result<Option<String>, CallError<AwsError>> {
        let output = call(self.intent, || async {
            let get = self.client.get_secret_value().secret_id(id);
            get.send().await.map_err(AwsError::from)
        });
        Ok(output.await?.secret_string)
    }
}

/// Reads secrets and keeps them for a while.
#[derive(Debug, Clone)]
pub struct Secrets {
    stores: Arc<Targets<Store>>,
    has_replica: bool,
    kept: Arc<Mutex<HashMap<String, Kept>>>,
}

impl Secrets {
    /// Reads through `aws` and, while that is away, from `replica`. Without one
    /// the first region is asked a second time.
    pub fn new(aws: &SdkConfig, replica: Option<&SecretsReplica>) -> Self {
        let client = Client::new(aws);
        let second = replica.map_or_else(|| client.clone(), |replica| at(aws, replica));
        let (first, second) = (
            Store {
                client,
                intent: Intent::SecretRead,
            },
            Store {
                client: second,
                intent: Intent::SecretReadSecondary,
            },
        );
        Self {
            stores: Arc::new(Targets::new(first, [second])),
            has_replica: replica.is_some(),
            kept: Arc::default(),
        }
    }

    /// The value of a secret, at most some minutes old; older while the store is away.
    ///
    /// # Errors
    /// It cannot be read and was never read before.
    pub async fn text(&self, id: &str) -> Result<SecretString, SecretError> {
        let kept = self.lock().get(id).cloned();
        match kept {
            Some(kept) if clock::now() - kept.read_at < SECRET_TTL => Ok(kept.value),
            kept => match (self.read(id).await, kept) {
                (Ok(value), _) => Ok(value),
                (Err(error), Some(kept)) => {
                    tracing::warn!(secret = id, error = %error, "the last good value is used");
                    self.keep_a_little_longer(id);
                    Ok(kept.value)
                }
                (Err(error), None) => Err(error),
            },
        }
    }

    /// The value of a secret as it is now.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn read(&self, id: &str) -> Result<SecretString, SecretError> {
        let value = failover(&self.stores, |store| store.read(id))
            .await
            .map_err(|error| SecretError::Unavailable(id.to_owned(), error))?;
        let value = value.ok_or_else(|| SecretError::Shape(id.to_owned()))?;
        let value = SecretString::from(value);
        self.lock().insert(
            id.to_owned(),
            Kept {
                value: value.clone(),
                read_at: clock::now(),
            },
        );
        Ok(value)
    }

    /// A secret that is a JSON document.
    ///
    /// # Errors
    /// It cannot be read, or is another document.
    pub async fn json<T: DeserializeOwned>(&self, id: &str) -> Result<T, SecretError> {
        let text = self.text(id).await?;
        serde_json::from_str(text.expose_secret()).map_err(|_| SecretError::Shape(id.to_owned()))
    }

    /// The key that refresh tokens' successors are made with.
    ///
    /// # Errors
    /// It cannot be read, or is too short.
    pub async fn session_key(&self, id: &str) -> Result<SessionKey, SecretError> {
        let text = self.text(id).await?;
        SessionKey::try_from(text.expose_secret()).map_err(|_| SecretError::Shape(id.to_owned()))
    }

    /// A key to seal with.
    ///
    /// # Errors
    /// It cannot be read, or is too short.
    pub async fn seal_key(&self, id: &str) -> Result<SealKey, SecretError> {
        let text = self.text(id).await?;
        SealKey::try_from(text.expose_secret()).map_err(|_| SecretError::Shape(id.to_owned()))
    }

    /// Asks every region by itself for a secret, past what is kept of it: first, then
    /// the replica if there is one.
    pub async fn probe(&self, id: &str) -> Vec<Result<(), CallError<AwsError>>> {
        let stores = self.stores.all().take(1 + usize::from(self.has_replica));
        let asked = stores.map(|store| async { store.read(id).await.map(drop) });
        futures::future::join_all(asked).await
    }

    fn keep_a_little_longer(&self, id: &str) {
        if let Some(kept) = self.lock().get_mut(id) {
            kept.read_at = clock::now() - SECRET_TTL + SECRET_READ_PAUSE;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client of the replica's region with the credentials of the first.
fn at(aws: &SdkConfig, replica: &SecretsReplica) -> Client {
    let mut settings = Builder::from(aws).region(Region::new(replica.region.clone()));
    settings.set_endpoint_url(replica.endpoint_url.clone());
    Client::from_conf(settings.build())
}
