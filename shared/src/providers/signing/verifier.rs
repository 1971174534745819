//! Verifies access tokens with the public ring, kept last-good while its store is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use time::OffsetDateTime;

use super::{Claims, PublicRing};
use crate::clock;
use crate::providers::secrets::{SecretError, Secrets};
use crate::resilience::policies::{PUBLIC_KEYS_MISS_INTERVAL, PUBLIC_KEYS_TTL, SECRET_READ_PAUSE};

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is not one of ours, or not valid now. Callers are not told which.
    #[error("the access token is not valid")]
    Invalid,
    /// No key was ever read.
    #[error("the public keys cannot be read")]
    KeysUnavailable(#[source] SecretError),
}

#[derive(Clone)]
struct Known {
    ring: PublicRing,
    keys: HashMap<String, DecodingKey>,
    read_at: OffsetDateTime,
    /// When reading them again failed.
    failed_at: Option<OffsetDateTime>,
}

impl Known {
    fn is_good_enough(&self, age_max: std::time::Duration) -> bool {
        let now = clock::now();
        let failed_just_now = |at| now - at < SECRET_READ_PAUSE;
        now - self.read_at < age_max || self.failed_at.is_some_and(failed_just_now)
    }
}

/// Verifies access tokens.
#[derive(Clone)]
pub struct Verifier {
    secrets: Secrets,
    secret_id: String,
    validation: Arc<Validation>,
    known: Arc<Mutex<Option<Arc<Known>>>>,
}

impl Verifier {
    /// Verifies tokens of `issuer` for `audience` with the ring in secret `secret_id`.
    pub fn new(secrets: Secrets, secret_id: &str, issuer: &str, audience: &str) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        // Two machines' clocks may differ a little when a token is brand new.
        validation.leeway = 5;
        Self {
            secrets,
            secret_id: secret_id.to_owned(),
            validation: Arc::new(validation),
            known: Arc::default(),
        }
    }

    /// The claims of a valid token.
    ///
    /// # Errors
    /// The token is not valid, or no key could ever be read.
    pub async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
        let kid = header.kid.ok_or(TokenError::Invalid)?;
        let mut known = self.known(PUBLIC_KEYS_TTL).await?;
        if !known.keys.contains_key(&kid) {
            // A key may be newer than our ring; random key ids must not cause a storm of reads.
            known = self.known(PUBLIC_KEYS_MISS_INTERVAL).await?;
        }
        let key = known.keys.get(&kid).ok_or(TokenError::Invalid)?;
        let token =
            jsonwebtoken::decode(token, key, &self.validation).map_err(|_| TokenError::Invalid)?;
        Ok(token.claims)
    }

    /// The public ring, for the JWKS.
    ///
    /// # Errors
    /// No key could ever be read.
    pub async fn ring(&self) -> Result<PublicRing, TokenError> {
        Ok(self.known(PUBLIC_KEYS_TTL).await?.ring.clone())
    }

    /// The keys, read again when older than `age_max`, the old ones while that fails.
    async fn known(&self, age_max: std::time::Duration) -> Result<Arc<Known>, TokenError> {
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(known) = known.as_ref().filter(|known| known.is_good_enough(age_max)) {
            return Ok(known.clone());
        }
        match (self.read().await, known) {
            (Ok(fresh), _) => Ok(self.remember(fresh)),
            (Err(error), Some(known)) => {
                tracing::warn!(error = %error, "the last good public keys are used");
                let failed_at = Some(clock::now());
                let known = Known::clone(&known);
                Ok(self.remember(Known { failed_at, ..known }))
            }
            (Err(error), None) => Err(TokenError::KeysUnavailable(error)),
        }
    }

    fn remember(&self, known: Known) -> Arc<Known> {
        let known = Arc::new(known);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
        known
    }

    async fn read(&self) -> Result<Known, SecretError> {
        use secrecy::ExposeSecret;
        let shape = || SecretError::Shape(self.secret_id.clone());
        let text = self.secrets.read(&self.secret_id).await?;
        let ring: PublicRing = serde_json::from_str(text.expose_secret()).map_err(|_| shape())?;
        let key = |key: &super::PublicKey| {
            DecodingKey::from_ed_components(&key.public).map(|decoding| (key.kid.clone(), decoding))
        };
        let keys = ring
            .keys
            .iter()
            .map(key)
            .collect::<Result<_, _>>()
            .map_err(|_| shape())?;
        Ok(Known {
            ring,
            keys,
            read_at: clock::now(),
            failed_at: None,
        })
    }
}
