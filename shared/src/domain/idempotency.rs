//! What makes a request unrepeatable.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A caller's own name for one request: 1 to 255 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct IdempotencyKey(String);

/// Why a key is not one.
#[derive(Debug, thiserror::Error)]
#[error("It must be 1 to 255 printable characters.")]
pub struct InvalidKey;

impl IdempotencyKey {
    /// The key as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for IdempotencyKey {
    type Error = InvalidKey;

    fn try_from(key: String) -> Result<Self, InvalidKey> {
        let printable = key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if printable && (1..=255).contains(&key.len()) && !key.trim().is_empty() {
            Ok(Self(key))
        } else {
            Err(InvalidKey)
        }
    }
}

/// SHA-256 over what was asked for, so that a key is not reused for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint([u8; 32]);

/// The text is not a fingerprint.
#[derive(Debug, thiserror::Error)]
#[error("must be 64 hexadecimal digits")]
pub struct InvalidFingerprint;

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.0.map(|byte| format!("{byte:02x}")).concat()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = InvalidFingerprint;

    fn try_from(hex: String) -> Result<Self, InvalidFingerprint> {
        let pairs = hex.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u8::from_str_radix(pair, 16).ok()
        });
        let bytes: Vec<u8> = pairs.collect::<Option<_>>().ok_or(InvalidFingerprint)?;
        Ok(Self(bytes.try_into().map_err(|_| InvalidFingerprint)?))
    }
}

impl Fingerprint {
    /// The fingerprint of a path's ids and a body.
    pub fn of(path: &str, body: &[u8]) -> Self {
        Self(
            Sha256::new()
                .chain_update(path)
                .chain_update([0])
                .chain_update(body)
                .finalize()
                .into(),
        )
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An answer as it went out, to be given again byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// The value of `X-Degraded`.
    pub degraded: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_printable_and_bounded() {
        for good in ["a", "order 1", &"x".repeat(255)] {
            assert!(IdempotencyKey::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", " ", "tab\there", "é", &"x".repeat(256)] {
            assert!(IdempotencyKey::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn fingerprint_is_read_back_from_its_text() {
        let fingerprint = Fingerprint::of("a", b"b");
        assert_eq!(
            Fingerprint::try_from(String::from(fingerprint)).unwrap(),
            fingerprint
        );
        for bad in ["", "00", "zz", "é"] {
            assert!(Fingerprint::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn path_and_body_do_not_run_into_each_other() {
        assert_ne!(Fingerprint::of("a", b"b"), Fingerprint::of("ab", b""));
    }
}
