//! Random values that prove who holds them. Only their digests are stored.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;

/// 32 bytes that nobody can guess. Masked in `Debug`.
#[derive(Clone)]
pub struct Opaque([u8; 32]);

/// The system has no randomness to give.
#[derive(Debug, thiserror::Error)]
#[error("the system has no randomness to give")]
pub struct NoRandomness(#[source] getrandom::Error);

/// The text is not a key.
#[derive(Debug, thiserror::Error)]
#[error("it must be at least 32 bytes in base64")]
pub struct InvalidKey;

/// The bytes of a key that is written as text.
///
/// # Errors
/// It is not base64, or too short to be one.
pub(super) fn key_bytes(text: &str) -> Result<Vec<u8>, InvalidKey> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| InvalidKey)?;
    if bytes.len() < 32 {
        return Err(InvalidKey);
    }
    Ok(bytes)
}

/// Bytes that nobody can guess.
///
/// # Errors
/// The system has no randomness to give.
pub fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], NoRandomness> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

impl Opaque {
    /// A new one.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// The one with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As it stands in a link: base64url, 43 characters.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Opaque::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }

    /// What is stored of it.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Opaque {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opaque(…)")
    }
}

/// The SHA-256 of a secret value. A slow hash is for passwords, which people
/// choose; nobody guesses 32 random bytes.
#[derive(Debug, Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As text: base64url.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Reads what [`Digest::to_text`] wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl serde::Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text())
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).ok_or_else(|| serde::de::Error::custom("is not a digest"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back() {
        let secret = Opaque::generate().unwrap();
        let again = Opaque::from_text(&secret.to_text()).unwrap();
        assert_eq!(again.digest(), secret.digest());
        assert_eq!(secret.to_text().len(), 43);
    }

    #[test]
    fn other_text_is_refused() {
        let secret = Opaque::generate().unwrap().to_text();
        for bad in ["", "?", &secret[1..], &format!("{secret}A")] {
            assert!(Opaque::from_text(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn secret_is_not_shown() {
        let secret = Opaque::from_bytes([65; 32]);
        assert_eq!(format!("{secret:?}"), "Opaque(…)");
    }
}
