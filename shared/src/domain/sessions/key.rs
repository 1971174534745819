//! The key that refresh tokens' successors are made with.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::secrets::{InvalidKey, key_bytes};

/// The key that successors are made with.
#[derive(Clone)]
pub struct SessionKey(Hmac<Sha256>);

impl TryFrom<&str> for SessionKey {
    type Error = InvalidKey;

    fn try_from(text: &str) -> Result<Self, InvalidKey> {
        let mac = Hmac::new_from_slice(&key_bytes(text)?).map_err(|_| InvalidKey)?;
        Ok(Self(mac))
    }
}

impl SessionKey {
    /// The HMAC of `bytes`.
    pub(super) fn code(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(bytes);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn short_session_key_is_refused() {
        for bad in [String::new(), "?".into(), STANDARD.encode([1; 31])] {
            assert!(SessionKey::try_from(bad.as_str()).is_err(), "{bad}");
        }
    }
}
