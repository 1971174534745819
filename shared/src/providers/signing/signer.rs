//! Signs access tokens with a key of the private ring that verifiers know.

use secrecy::ExposeSecret;

use super::{Claims, PrivateKey, Ring, Subject, Verifier};
use crate::providers::secrets::{SecretError, Secrets};

/// Why no token could be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The ring cannot be read.
    #[error("the signing keys cannot be read")]
    KeysUnavailable(#[from] SecretError),
    /// Every key that can be read was revoked.
    #[error("the signing keys were revoked, and no others can be read")]
    Revoked,
    /// The current key is damaged.
    #[error("the signing key does not sign")]
    Damaged(#[from] jsonwebtoken::errors::Error),
}

/// Signs access tokens. Only the function that may read the private ring can.
#[derive(Clone)]
pub struct Signer {
    secrets: Secrets,
    secret_id: String,
    verifier: Verifier,
    issuer: String,
    audience: String,
}

impl Signer {
    /// Signs as `issuer` for `audience` with the ring in secret `secret_id`, and with
    /// nothing that `verifier` would not take.
    pub fn new(
        secrets: Secrets,
        secret_id: &str,
        verifier: Verifier,
        [issuer, audience]: [&str; 2],
    ) -> Self {
        Self {
            secrets,
            secret_id: secret_id.to_owned(),
            verifier,
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
        }
    }

    /// An access token for `subject`.
    ///
    /// # Errors
    /// The ring cannot be read, was revoked, or is damaged.
    pub async fn sign(&self, subject: Subject) -> Result<String, SignError> {
        let key = self.key().await?;
        let claims = Claims::new(subject, &self.issuer, &self.audience);
        Ok(key.sign(&claims)?)
    }

    /// The key that signs now. The private ring is kept for minutes, the public one for
    /// seconds: a key that is not in the public one was revoked, and the ring is read again
    /// at once. In the middle of a rotation the key to use is the pending ring's.
    async fn key(&self) -> Result<PrivateKey, SignError> {
        let (ring, _) = tokio::join!(
            self.secrets.json::<Ring>(&self.secret_id),
            self.verifier.ring()
        );
        let key = ring?.current;
        if self.verifier.takes_from(&key.kid).await {
            return Ok(key);
        }
        tracing::warn!(kid = key.kid, "the signing key was revoked or retired");
        for text in self.secrets.versions(&self.secret_id).await {
            let Ok(ring) = serde_json::from_str::<Ring>(text.expose_secret()) else {
                continue;
            };
            if self.verifier.takes_from(&ring.current.kid).await {
                self.secrets.keep(&self.secret_id, text);
                return Ok(ring.current);
            }
        }
        Err(SignError::Revoked)
    }
}

const _: () = {
    // The public ring tells of a retirement within its own time. What a signer signs until
    // then must verify until it expires.
    let public_age_max = crate::resilience::policies::PUBLIC_KEYS_TTL.as_secs();
    assert!(public_age_max as i64 + super::TOKEN_SECONDS <= super::RETIRED_KEY_SECONDS);
};
