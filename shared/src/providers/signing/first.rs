//! The first values of the secrets that tokens and sessions need. A template
//! cannot make Ed25519 keys, so whoever sets up a stage writes these.

use aws_lc_rs::error::Unspecified;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::{PublicRing, Ring};

/// The first values of three secrets, each as the text to be stored.
#[derive(Debug)]
pub struct FirstSecrets {
    /// For `jwt-private`: the ring, as JSON.
    pub jwt_private: SecretString,
    /// For `jwt-public`: its public half, as JSON.
    pub jwt_public: String,
    /// For `session-key`: 32 random bytes, as base64.
    pub session_key: SecretString,
}

impl FirstSecrets {
    /// New values, unlike any other stage's. Write them only where there are none.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate(now: OffsetDateTime) -> Result<Self, Unspecified> {
        let ring = Ring::generate()?;
        let mut session_key = [0; 32];
        aws_lc_rs::rand::fill(&mut session_key)?;
        let json = |value: serde_json::Result<String>| value.map_err(|_| Unspecified);
        Ok(Self {
            jwt_private: json(serde_json::to_string(&ring))?.into(),
            jwt_public: json(serde_json::to_string(
                &ring.public(&PublicRing::default(), now),
            ))?,
            session_key: STANDARD.encode(session_key).into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::domain::sessions::SessionKey;

    #[test]
    fn what_is_written_first_can_be_read() {
        let first = FirstSecrets::generate(OffsetDateTime::UNIX_EPOCH).unwrap();
        let ring: Ring = serde_json::from_str(first.jwt_private.expose_secret()).unwrap();
        let public: PublicRing = serde_json::from_str(&first.jwt_public).unwrap();
        let none = PublicRing::default();
        assert_eq!(ring.public(&none, OffsetDateTime::UNIX_EPOCH), public);
        assert!(SessionKey::try_from(first.session_key.expose_secret()).is_ok());
    }
}
