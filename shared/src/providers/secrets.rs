//! Secrets: given to the function itself, or from Secrets Manager in two regions, with the
//! last good value kept while both are away.

mod versions;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::{Builder, Region};
use futures::future::join_all;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::AwsError;
use crate::clock;
use crate::config::{GivenSecret, GivenSecrets, SecretsReplica};
use crate::domain::sealed::SealKey;
use crate::domain::sessions::SessionKey;
use crate::resilience::policies::{SECRET_READ_PAUSE, SECRET_TTL};
use crate::resilience::{CallError, Intent, Targets, call, failover};

pub use versions::{Described, SecretVersions, Stage, Version};

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// It cannot be read now and was never read before.
    #[error("secret {0} cannot be read")]
    Unavailable(String, #[source] CallError<AwsError>),
    /// The file that it is given in cannot be read.
    #[error("the file {1} with secret {0} cannot be read")]
    File(String, PathBuf, #[source] std::io::Error),
    /// Its value is not what it should be. The value itself is never shown.
    #[error("secret {0} does not have the expected shape")]
    Shape(String),
}

/// The value in use.
#[derive(Debug, Clone)]
struct Kept {
    value: SecretString,
    read_at: OffsetDateTime,
}

/// The values that stood in for each other when the one in use was refused.
#[derive(Debug, Clone)]
struct Seen {
    values: Vec<SecretString>,
    read_at: OffsetDateTime,
}

#[derive(Debug, Default)]
struct Memory {
    kept: HashMap<String, Kept>,
    seen: HashMap<String, Seen>,
}

/// One region of Secrets Manager.
#[derive(Debug, Clone)]
struct Store {
    client: Client,
    intent: Intent,
}

impl Store {
    /// The value at a stage; none where the secret has no such version.
    async fn read(&self, id: &str, stage: Stage) -> Result<Option<String>, CallError<AwsError>> {
        let output = call(self.intent, || async {
            let get = self.client.get_secret_value().secret_id(id);
            let get = get.version_stage(stage.as_str());
            get.send().await.map_err(AwsError::from)
        });
        Ok(output.await?.secret_string)
    }
}

/// Reads secrets and keeps them for a while.
#[derive(Debug, Clone)]
pub struct Secrets {
    given: GivenSecrets,
    stores: Arc<Targets<Store>>,
    has_replica: bool,
    memory: Arc<Mutex<Memory>>,
}

impl Secrets {
    /// Those that are `given`; all others through `aws` and, while that is away, from
    /// `replica`. Without one the first region is asked a second time.
    pub fn new(aws: &SdkConfig, given: GivenSecrets, replica: Option<&SecretsReplica>) -> Self {
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
            given,
            stores: Arc::new(Targets::new(first, [second])),
            has_replica: replica.is_some(),
            memory: Arc::default(),
        }
    }

    /// The value of a secret, at most some minutes old; older while the store is away.
    ///
    /// # Errors
    /// It cannot be read and was never read before.
    pub async fn text(&self, id: &str) -> Result<SecretString, SecretError> {
        let kept = self.lock().kept.get(id).cloned();
        match kept {
            Some(kept) if is_younger(kept.read_at, SECRET_TTL) => Ok(kept.value),
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
        let value = self.fetch(id, Stage::Current).await?;
        let value = value.ok_or_else(|| SecretError::Shape(id.to_owned()))?;
        self.remember(id, value.clone());
        Ok(value)
    }

    /// The values to try when the one in use is refused: the current one, the pending one
    /// of a rotation that is under way, the previous one. Whoever finds one that works says
    /// so by [`Secrets::keep`]; until then the same are given for [`SECRET_READ_PAUSE`],
    /// because what refuses may be wrong itself. None while they cannot be read.
    pub async fn versions(&self, id: &str) -> Vec<SecretString> {
        let seen = self.lock().seen.get(id).cloned();
        if let Some(seen) = seen.filter(|seen| is_younger(seen.read_at, SECRET_READ_PAUSE)) {
            return seen.values;
        }
        let read = join_all(Stage::ALL.map(|stage| self.fetch(id, stage))).await;
        let mut values = Vec::new();
        for result in read {
            match result {
                Ok(value) => values.extend(value),
                Err(error) => tracing::warn!(secret = id, error = %error, "not read again"),
            }
        }
        let seen = Seen {
            values: values.clone(),
            read_at: clock::now(),
        };
        self.lock().seen.insert(id.to_owned(), seen);
        values
    }

    /// Uses `value`, which works, from now on.
    pub fn keep(&self, id: &str, value: SecretString) {
        self.remember(id, value);
        self.lock().seen.remove(id);
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
        let asked = stores.map(|store| async { store.read(id, Stage::Current).await.map(drop) });
        join_all(asked).await
    }

    /// The value at a stage, as it is now; none where there is no such version.
    async fn fetch(&self, id: &str, stage: Stage) -> Result<Option<SecretString>, SecretError> {
        match self.given.get(id) {
            // What is given has one version.
            Some(_) if stage != Stage::Current => Ok(None),
            Some(GivenSecret::Value(value)) => Ok(Some(value)),
            Some(GivenSecret::File(path)) => std::fs::read_to_string(&path)
                .map(|text| Some(text.trim().into()))
                .map_err(|error| SecretError::File(id.to_owned(), path, error)),
            None => match failover(&self.stores, |store| store.read(id, stage)).await {
                Err(error) if stage != Stage::Current && versions::is_absent(&error) => Ok(None),
                answer => answer
                    .map(|value| value.map(SecretString::from))
                    .map_err(|error| SecretError::Unavailable(id.to_owned(), error)),
            },
        }
    }

    fn remember(&self, id: &str, value: SecretString) {
        let kept = Kept {
            value,
            read_at: clock::now(),
        };
        self.lock().kept.insert(id.to_owned(), kept);
    }

    fn keep_a_little_longer(&self, id: &str) {
        if let Some(kept) = self.lock().kept.get_mut(id) {
            kept.read_at = clock::now() - SECRET_TTL + SECRET_READ_PAUSE;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_younger(read_at: OffsetDateTime, ttl: Duration) -> bool {
    clock::now() - read_at < ttl
}

/// A client of the replica's region with the credentials of the first.
fn at(aws: &SdkConfig, replica: &SecretsReplica) -> Client {
    let mut settings = Builder::from(aws).region(Region::new(replica.region.clone()));
    settings.set_endpoint_url(replica.endpoint_url.clone());
    Client::from_conf(settings.build())
}
