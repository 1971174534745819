//! Verifies access tokens with the public ring, kept last-good while its store is away.

#[cfg(test)]
mod forgeries;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation};
use time::OffsetDateTime;
use tokio::sync::Semaphore;

use super::ring::{ALGORITHM, header_of};
use super::{Claims, PublicKey, PublicRing};
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
    keys: HashMap<String, DecodingKey>,
    ring: PublicRing,
    read_at: OffsetDateTime,
    /// When reading them again failed.
    failed_at: Option<OffsetDateTime>,
    /// When a key was looked for that is not there.
    in_vain_at: Option<OffsetDateTime>,
}

impl Known {
    /// What was read just now; `None` when a key in it is none.
    fn of(ring: PublicRing) -> Option<Self> {
        let key = |key: &PublicKey| {
            let decoding = DecodingKey::from_ed_components(&key.public).ok()?;
            Some((key.kid.clone(), decoding))
        };
        Some(Self {
            keys: ring.keys.iter().map(key).collect::<Option<_>>()?,
            ring,
            read_at: clock::now(),
            failed_at: None,
            in_vain_at: None,
        })
    }

    fn is_fresh(&self) -> bool {
        is_younger(Some(self.read_at), PUBLIC_KEYS_TTL)
            || is_younger(self.failed_at, SECRET_READ_PAUSE)
    }

    /// Whether to look for an unknown key: it may be newer than what is known here. Random
    /// key ids must not cause a storm of reads, so after one in vain comes a pause. One that
    /// found its key needs none, because a ring has few.
    fn is_worth_reading_again(&self) -> bool {
        !is_younger(self.in_vain_at, PUBLIC_KEYS_MISS_INTERVAL)
            && !is_younger(self.failed_at, SECRET_READ_PAUSE)
    }

    /// The key, while a live token may carry it.
    fn key(&self, kid: &str) -> Option<&PublicKey> {
        let key = self.ring.key(kid);
        key.filter(|key| key.verifies(clock::now()))
    }

    /// The claims of a token that names the key `kid`.
    fn claims(
        &self,
        token: &str,
        kid: &str,
        validation: &Validation,
    ) -> Result<Claims, TokenError> {
        let key = self.key(kid).and_then(|key| self.keys.get(&key.kid));
        let token = key.and_then(|key| jsonwebtoken::decode(token, key, validation).ok());
        token.map(|token| token.claims).ok_or(TokenError::Invalid)
    }
}

/// The key that a token names, if its header is one that we write, member for member: no other
/// type or algorithm, nothing critical, no key and no address of one (RFC 8725, sections 3.1,
/// 3.10 and 3.11).
fn named_key(token: &str) -> Result<String, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    let kid = header.kid.clone().ok_or(TokenError::Invalid)?;
    if header == header_of(&kid) {
        Ok(kid)
    } else {
        Err(TokenError::Invalid)
    }
}

/// What the claims must say.
fn validation(issuer: &str, audience: &str) -> Validation {
    let mut validation = Validation::new(ALGORITHM);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[audience]);
    validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    // Two machines' clocks may differ a little when a token is brand new.
    validation.leeway = 5;
    validation
}

fn is_younger(at: Option<OffsetDateTime>, span: Duration) -> bool {
    at.is_some_and(|at| clock::now() - at < span)
}

/// Verifies access tokens.
#[derive(Clone)]
pub struct Verifier {
    secrets: Secrets,
    secret_id: String,
    validation: Arc<Validation>,
    known: Arc<Mutex<Option<Arc<Known>>>>,
    /// One reads at a time; the others use what it has found.
    reading: Arc<Semaphore>,
}

impl Verifier {
    /// Verifies tokens of `issuer` for `audience` with the ring in secret `secret_id`.
    pub fn new(secrets: Secrets, secret_id: &str, issuer: &str, audience: &str) -> Self {
        Self {
            secrets,
            secret_id: secret_id.to_owned(),
            validation: Arc::new(validation(issuer, audience)),
            known: Arc::default(),
            reading: Arc::new(Semaphore::new(1)),
        }
    }

    /// The claims of a valid token.
    ///
    /// # Errors
    /// The token is not valid, or no key could ever be read.
    pub async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let kid = named_key(token)?;
        let known = self.looked_up(&kid).await?;
        known.claims(token, &kid, &self.validation)
    }

    /// Whether a token signed with this key now would be good until it expires, as far as
    /// is known: while no keys can be read, nothing speaks against it.
    pub(super) async fn takes_from(&self, kid: &str) -> bool {
        match self.looked_up(kid).await {
            Ok(known) => known.key(kid).is_some_and(|key| key.signs(clock::now())),
            Err(_) => true,
        }
    }

    /// The public ring, for the JWKS: the next key, the current one, and each retired one
    /// that a live token may carry.
    ///
    /// # Errors
    /// No key could ever be read.
    pub async fn ring(&self) -> Result<PublicRing, TokenError> {
        let mut ring = self.known().await?.ring.clone();
        ring.keys.retain(|key| key.verifies(clock::now()));
        Ok(ring)
    }

    /// The keys, read again when they are old or do not have this one.
    async fn looked_up(&self, kid: &str) -> Result<Arc<Known>, TokenError> {
        let known = self.known().await?;
        if known.ring.key(kid).is_some() || !known.is_worth_reading_again() {
            return Ok(known);
        }
        let is_settled = |now: &Known| now.ring.key(kid).is_some() || !now.is_worth_reading_again();
        let known = self.read_once(is_settled).await?;
        if known.ring.key(kid).is_some() {
            return Ok(known);
        }
        Ok(self.remember(Known {
            in_vain_at: Some(clock::now()),
            ..Known::clone(&known)
        }))
    }

    /// The keys, read again when they are old, the old ones while that fails.
    async fn known(&self) -> Result<Arc<Known>, TokenError> {
        match self.present().filter(|known| known.is_fresh()) {
            Some(known) => Ok(known),
            None => self.read_once(Known::is_fresh).await,
        }
    }

    /// Reads the keys, unless somebody else has done so meanwhile and that will do.
    async fn read_once(&self, will_do: impl Fn(&Known) -> bool) -> Result<Arc<Known>, TokenError> {
        let _turn = self.reading.acquire().await;
        let known = self.present();
        if let Some(known) = known.as_ref().filter(|known| will_do(known)) {
            return Ok(known.clone());
        }
        match (self.read().await, known) {
            (Ok(fresh), known) => Ok(self.remember(Known {
                // A fresh ring does not make whoever sends random ids more trustworthy.
                in_vain_at: known.and_then(|known| known.in_vain_at),
                ..fresh
            })),
            (Err(error), Some(known)) => {
                tracing::warn!(error = %error, "the last good public keys are used");
                let failed_at = Some(clock::now());
                let known = Known::clone(&known);
                Ok(self.remember(Known { failed_at, ..known }))
            }
            (Err(error), None) => Err(TokenError::KeysUnavailable(error)),
        }
    }

    fn present(&self) -> Option<Arc<Known>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.clone()
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
        Known::of(ring).ok_or_else(shape)
    }
}
