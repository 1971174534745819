//! The ring of signing keys: one that signs, one that is next, and those retired.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{Claims, RETIRED_KEY_SECONDS};

/// A key that can sign. Its private half is masked in `Debug`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PrivateKey {
    /// The thumbprint of the public half (RFC 7638).
    pub kid: String,
    /// The public half: 32 bytes, base64url.
    pub public: String,
    /// The private half: PKCS#8 v1 in DER, base64.
    #[serde(serialize_with = "expose")]
    private: SecretString,
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// A key that signs no more, but may have signed a token that still lives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Retired {
    /// Its thumbprint.
    pub kid: String,
    /// The public half.
    pub public: String,
    /// Since when it signs no more.
    #[serde(with = "time::serde::rfc3339")]
    pub retired_at: OffsetDateTime,
}

/// The whole ring, as one version of the private secret holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ring {
    /// Published already, so that every verifier knows it before it signs.
    pub next: PrivateKey,
    /// The one that signs.
    pub current: PrivateKey,
    /// Those that signed before.
    pub retired: Vec<Retired>,
}

/// A key that can verify.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// Its thumbprint.
    pub kid: String,
    /// 32 bytes, base64url.
    pub public: String,
}

/// The public half of the ring, as every function may read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicRing {
    /// Every key that a live token may carry, and the next one.
    pub keys: Vec<PublicKey>,
}

impl PrivateKey {
    /// A new key.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, Unspecified> {
        let pair = Ed25519KeyPair::generate()?;
        // Version 1 of PKCS#8, because jsonwebtoken reads no other.
        let der: Pkcs8V1Der<'static> = pair.as_der()?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let private = SecretString::from(STANDARD.encode(der.as_ref()));
        Ok(Self {
            kid: thumbprint(&public),
            public,
            private,
        })
    }

    /// Signs claims.
    ///
    /// # Errors
    /// The key is damaged.
    pub fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let der = STANDARD
            .decode(self.private.expose_secret())
            .map_err(|_| jsonwebtoken::errors::ErrorKind::InvalidKeyFormat)?;
        let header = Header {
            kid: Some(self.kid.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&der))
    }
}

impl Ring {
    /// The first ring of a shop.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, Unspecified> {
        Ok(Self {
            next: PrivateKey::generate()?,
            current: PrivateKey::generate()?,
            retired: Vec::new(),
        })
    }

    /// The public half at `now`.
    pub fn public(&self, now: OffsetDateTime) -> PublicRing {
        let signing = [&self.next, &self.current].map(|key| PublicKey {
            kid: key.kid.clone(),
            public: key.public.clone(),
        });
        let live = |key: &&Retired| (now - key.retired_at).whole_seconds() < RETIRED_KEY_SECONDS;
        let retired = self.retired.iter().filter(live);
        let retired = retired.map(|key| PublicKey {
            kid: key.kid.clone(),
            public: key.public.clone(),
        });
        PublicRing {
            keys: signing.into_iter().chain(retired).collect(),
        }
    }
}

/// The thumbprint of an Ed25519 key (RFC 7638, RFC 8037).
fn thumbprint(public: &str) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public}"}}"#);
    URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_the_one_of_rfc_8037() {
        let public = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        assert_eq!(
            thumbprint(public),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
        );
    }

    #[test]
    fn private_half_is_not_shown() {
        let key = PrivateKey::generate().unwrap();
        assert!(!format!("{key:?}").contains(key.private.expose_secret()));
    }

    #[test]
    fn public_ring_drops_keys_retired_long_ago() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let mut ring = Ring::generate().unwrap();
        for minutes in [10, 30] {
            ring.retired.push(Retired {
                kid: minutes.to_string(),
                public: String::new(),
                retired_at: now - time::Duration::minutes(minutes),
            });
        }
        let kids: Vec<_> = ring
            .public(now)
            .keys
            .into_iter()
            .map(|key| key.kid)
            .collect();
        assert_eq!(kids, [ring.next.kid, ring.current.kid, "10".into()]);
    }
}
