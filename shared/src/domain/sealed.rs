//! Secrets that must be read again, and so cannot be hashed: sealed with
//! AES-256-GCM under a key that is kept elsewhere.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::secrets::{InvalidKey, key_bytes};

/// A key to seal with.
pub struct SealKey(RandomizedNonceKey);

/// What was sealed is damaged, somebody else's, or under another key.
#[derive(Debug, thiserror::Error)]
#[error("what was sealed cannot be opened")]
pub struct BrokenSeal;

impl TryFrom<&str> for SealKey {
    type Error = InvalidKey;

    fn try_from(text: &str) -> Result<Self, InvalidKey> {
        let bytes = key_bytes(text)?;
        // The hash makes 32 even bytes of whatever was made up as a text.
        let key = RandomizedNonceKey::new(&AES_256_GCM, &Sha256::digest(bytes));
        key.map(Self).map_err(|Unspecified| InvalidKey)
    }
}

impl SealKey {
    /// Seals `secret` for `owner`: nonce, ciphertext and tag.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn seal(&self, secret: &[u8], owner: Uuid) -> Result<Vec<u8>, BrokenSeal> {
        let mut text = secret.to_vec();
        let sealed = self
            .0
            .seal_in_place_append_tag(Aad::from(owner.as_bytes()), &mut text);
        let nonce = sealed.map_err(|Unspecified| BrokenSeal)?;
        Ok([nonce.as_ref().as_slice(), text.as_slice()].concat())
    }

    /// Opens what was sealed for `owner`. What was sealed for somebody else does not open.
    ///
    /// # Errors
    /// It is damaged, somebody else's, or under another key.
    pub fn open(&self, sealed: &[u8], owner: Uuid) -> Result<Vec<u8>, BrokenSeal> {
        let (nonce, text) = sealed.split_at_checked(NONCE_LEN).ok_or(BrokenSeal)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|Unspecified| BrokenSeal)?;
        let mut text = text.to_vec();
        let opened = self
            .0
            .open_in_place(nonce, Aad::from(owner.as_bytes()), &mut text);
        Ok(opened.map_err(|Unspecified| BrokenSeal)?.to_vec())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn key(byte: u8) -> SealKey {
        SealKey::try_from(STANDARD.encode([byte; 32]).as_str()).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_key_for_the_same_owner_only() {
        let (owner, other) = (Uuid::now_v7(), Uuid::now_v7());
        let sealed = key(1).seal(b"secret", owner).unwrap();
        assert_eq!(key(1).open(&sealed, owner).unwrap(), b"secret");
        assert!(key(1).open(&sealed, other).is_err());
        assert!(key(2).open(&sealed, owner).is_err());
    }

    #[test]
    fn changed_seal_does_not_open() {
        let owner = Uuid::now_v7();
        let sealed = key(1).seal(b"secret", owner).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(1).open(&changed, owner).is_err(), "{at}");
        }
        for short in [&sealed[..5], &[]] {
            assert!(key(1).open(short, owner).is_err());
        }
    }

    #[test]
    fn same_secret_is_sealed_differently_each_time_and_not_shown() {
        let owner = Uuid::now_v7();
        let seal = || key(1).seal(b"secret", owner).unwrap();
        assert_ne!(seal(), seal());
        assert!(!seal().windows(6).any(|window| window == b"secret"));
    }

    #[test]
    fn short_key_is_refused() {
        for bad in [String::new(), "?".into(), STANDARD.encode([1; 31])] {
            assert!(SealKey::try_from(bad.as_str()).is_err(), "{bad}");
        }
    }
}
