//! Signs access tokens with the current key of the private ring.

use super::{Claims, Ring, Subject};
use crate::providers::secrets::{SecretError, Secrets};

/// Why no token could be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The ring cannot be read.
    #[error("the signing keys cannot be read")]
    KeysUnavailable(#[from] SecretError),
    /// The current key is damaged.
    #[error("the signing key does not sign")]
    Damaged(#[from] jsonwebtoken::errors::Error),
}

/// Signs access tokens. Only the function that may read the private ring can.
#[derive(Clone)]
pub struct Signer {
    secrets: Secrets,
    secret_id: String,
    issuer: String,
    audience: String,
}

impl Signer {
    /// Signs as `issuer` for `audience` with the ring in secret `secret_id`.
    pub fn new(secrets: Secrets, secret_id: &str, issuer: &str, audience: &str) -> Self {
        Self {
            secrets,
            secret_id: secret_id.to_owned(),
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        }
    }

    /// An access token for `subject`. The ring may be as old as any
    /// secret: a key that was retired meanwhile still verifies for longer.
    ///
    /// # Errors
    /// The ring cannot be read or is damaged.
    pub async fn sign(&self, subject: Subject) -> Result<String, SignError> {
        let ring: Ring = self.secrets.json(&self.secret_id).await?;
        let claims = Claims::new(subject, &self.issuer, &self.audience);
        Ok(ring.current.sign(&claims)?)
    }
}

const _: () = {
    // A token that is signed with a key retired since the ring was read must verify until it expires.
    let ring_age_max = crate::resilience::policies::SECRET_TTL.as_secs();
    assert!(ring_age_max as i64 + super::TOKEN_SECONDS <= super::RETIRED_KEY_SECONDS);
};
