//! Secrets Manager, with the last good value kept while it is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::AwsError;
use crate::clock;
use crate::domain::sessions::SessionKey;
use crate::resilience::policies::SECRET_TTL;
use crate::resilience::{CallError, Intent, call};

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

#[derive(Clone)]
struct Kept {
    value: SecretString,
    read_at: OffsetDateTime,
}

/// Reads secrets and keeps them for a while.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
    kept: Arc<Mutex<HashMap<String, Kept>>>,
}

impl Secrets {
    /// Reads through `aws`.
    pub fn new(aws: &SdkConfig) -> Self {
        Self {
            client: Client::new(aws),
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
        let output = call(Intent::SecretRead, || async {
            self.client
                .get_secret_value()
                .secret_id(id)
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await
        .map_err(|error| SecretError::Unavailable(id.to_owned(), error))?;
        let value = output
            .secret_string
            .ok_or_else(|| SecretError::Shape(id.to_owned()))?;
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

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
