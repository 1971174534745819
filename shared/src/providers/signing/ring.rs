//! The ring of signing keys: one that signs, one that is next, and those retired.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{Claims, RETIRED_KEY_SECONDS, TOKEN_SECONDS};

/// The one algorithm. What a token's header says of it is compared, never followed.
pub(super) const ALGORITHM: Algorithm = Algorithm::EdDSA;

/// The header of every token that the key `kid` signs.
pub(super) fn header_of(kid: &str) -> Header {
    Header {
        kid: Some(kid.to_owned()),
        ..Header::new(ALGORITHM)
    }
}

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
    /// Since when it signs no more; none for the next key and the current one.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub retired_at: Option<OffsetDateTime>,
}

/// The public half of the ring, as every function may read it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicRing {
    /// Every key that a live token may carry, and the next one.
    pub keys: Vec<PublicKey>,
}

impl PublicKey {
    /// Whether a live token may carry it at `now`.
    pub fn verifies(&self, now: OffsetDateTime) -> bool {
        self.is_younger(RETIRED_KEY_SECONDS, now)
    }

    /// Whether a token that it signs at `now` can be verified until it expires.
    pub fn signs(&self, now: OffsetDateTime) -> bool {
        self.is_younger(RETIRED_KEY_SECONDS - TOKEN_SECONDS, now)
    }

    fn is_younger(&self, seconds: i64, now: OffsetDateTime) -> bool {
        let retired_at = self.retired_at;
        retired_at.is_none_or(|at| (now - at).whole_seconds() < seconds)
    }
}

impl PublicRing {
    /// The key with this thumbprint.
    pub fn key(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }
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
        let key = EncodingKey::from_ed_der(&der);
        jsonwebtoken::encode(&header_of(&self.kid), claims, &key)
    }
}

impl PrivateKey {
    /// Whether what it signs is verified by the published key `public`.
    pub fn matches(&self, public: Option<&PublicKey>) -> bool {
        const MESSAGE: &[u8] = b"a trial";
        let signed = STANDARD
            .decode(self.private.expose_secret())
            .ok()
            .and_then(|der| Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).ok())
            .map(|pair| pair.sign(MESSAGE));
        let public = public.and_then(|key| URL_SAFE_NO_PAD.decode(&key.public).ok());
        let (Some(signed), Some(public)) = (signed, public) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, public)
            .verify(MESSAGE, signed.as_ref())
            .is_ok()
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

    /// The ring after this one: the next key signs, the one that signed is retired, and a
    /// new one is next. `published` is the public ring, which knows best since when a key
    /// signs no more. Keys that no live token can carry are left out.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn rotated(
        &self,
        published: &PublicRing,
        now: OffsetDateTime,
    ) -> Result<Self, Unspecified> {
        let last = Retired {
            kid: self.current.kid.clone(),
            public: self.current.public.clone(),
            retired_at: now,
        };
        let retired = self.retired.iter().chain([&last]);
        let retired = retired.map(|key| key.as_published(published, now));
        Ok(Self {
            next: PrivateKey::generate()?,
            current: self.next.clone(),
            retired: retired.filter(|key| key.verifies(now)).collect(),
        })
    }

    /// The public half to be published at `now`. A key that is retired by this very
    /// publication, because `published` does not know it as retired, is so from now on.
    pub fn public(&self, published: &PublicRing, now: OffsetDateTime) -> PublicRing {
        let signing = [&self.next, &self.current].map(|key| PublicKey {
            kid: key.kid.clone(),
            public: key.public.clone(),
            retired_at: None,
        });
        let retired = self.retired.iter();
        let retired = retired
            .map(|key| key.as_published(published, now))
            .filter(|key| key.verifies(now))
            .map(|key| PublicKey {
                kid: key.kid,
                public: key.public,
                retired_at: Some(key.retired_at),
            });
        PublicRing {
            keys: signing.into_iter().chain(retired).collect(),
        }
    }
}

impl Retired {
    /// A rotation may be resumed long after it began, so what signers were told counts,
    /// not when the ring was made.
    fn as_published(&self, published: &PublicRing, now: OffsetDateTime) -> Self {
        let retired_at = match published.key(&self.kid) {
            Some(key) => key.retired_at.unwrap_or(now),
            None => self.retired_at,
        };
        Self {
            retired_at,
            ..self.clone()
        }
    }

    fn verifies(&self, now: OffsetDateTime) -> bool {
        (now - self.retired_at).whole_seconds() < RETIRED_KEY_SECONDS
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
    fn key_matches_its_own_public_half_only() {
        let ring = Ring::generate().unwrap();
        let public = ring.public(&PublicRing::default(), OffsetDateTime::UNIX_EPOCH);
        assert!(ring.current.matches(public.key(&ring.current.kid)));
        assert!(!ring.current.matches(public.key(&ring.next.kid)));
        assert!(!ring.current.matches(None));
    }

    #[test]
    fn private_half_is_not_shown() {
        let key = PrivateKey::generate().unwrap();
        assert!(!format!("{key:?}").contains(key.private.expose_secret()));
    }

    fn minutes(minutes: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(minutes)
    }

    fn kids(ring: &PublicRing) -> Vec<&str> {
        ring.keys.iter().map(|key| key.kid.as_str()).collect()
    }

    #[test]
    fn public_ring_drops_keys_retired_long_ago() {
        let mut ring = Ring::generate().unwrap();
        for age in [10, 20] {
            ring.retired.push(Retired {
                kid: age.to_string(),
                public: String::new(),
                retired_at: minutes(60 - age),
            });
        }
        let public = ring.public(&PublicRing::default(), minutes(60));
        assert_eq!(kids(&public), [&ring.next.kid, &ring.current.kid, "10"]);
    }

    #[test]
    fn key_is_next_then_signs_then_verifies_for_twenty_minutes() {
        let mut ring = Ring::generate().unwrap();
        let (first, second) = (ring.current.kid.clone(), ring.next.kid.clone());
        let mut published = ring.public(&PublicRing::default(), minutes(0));
        // However many rotations come.
        for minute in 1..=20 {
            ring = ring.rotated(&published, minutes(minute)).unwrap();
            published = ring.public(&published, minutes(minute));
            assert!(minute > 1 || ring.current.kid == second);
            assert_eq!(kids(&published).len(), usize::try_from(minute).unwrap() + 2);
            assert!(published.key(&first).unwrap().verifies(minutes(minute)));
        }
        assert!(!published.key(&first).unwrap().verifies(minutes(21)));
        let ring = ring.rotated(&published, minutes(21)).unwrap();
        assert!(ring.public(&published, minutes(21)).key(&first).is_none());
    }

    #[test]
    fn rotation_that_is_published_late_retires_its_key_only_then() {
        let ring = Ring::generate().unwrap();
        let published = ring.public(&PublicRing::default(), minutes(0));
        let pending = ring.rotated(&published, minutes(1)).unwrap();
        let late = pending.public(&published, minutes(90));
        let key = late.key(&ring.current.kid).unwrap();
        assert_eq!(key.retired_at, Some(minutes(90)));
        // A second publication changes nothing, and the next rotation goes by the first.
        assert_eq!(pending.public(&late, minutes(91)), late);
        let after = pending.rotated(&late, minutes(95)).unwrap();
        assert_eq!(after.retired[0].retired_at, minutes(90));
    }

    #[test]
    fn retired_key_signs_while_its_tokens_can_live() {
        let key = PublicKey {
            kid: String::new(),
            public: String::new(),
            retired_at: Some(minutes(0)),
        };
        assert!(key.signs(minutes(4)) && !key.signs(minutes(5)));
        assert!(key.verifies(minutes(19)) && !key.verifies(minutes(20)));
    }

    #[test]
    fn ring_that_was_stored_before_keys_had_an_end_is_read() {
        let stored = r#"{"keys": [{"kid": "a", "public": "b"}]}"#;
        let ring: PublicRing = serde_json::from_str(stored).unwrap();
        assert_eq!(
            serde_json::to_string(&ring).unwrap(),
            stored.replace(": ", ":").replace(", ", ",")
        );
    }
}
