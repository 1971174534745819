//! Password hashes: Argon2id, off the thread that serves requests.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::Error as HashError;
use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use crate::context;
use crate::domain::accounts::{NewPassword, Password};
use crate::domain::secrets::random;
use crate::resilience::policies::PASSWORD_HASHES_MAX;

/// Why a password could not be hashed or compared.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many are being hashed; the deadline came first.
    #[error("too many passwords are being hashed")]
    Busy,
    /// The stored hash is damaged, or there was no memory.
    #[error("the password could not be hashed")]
    Hash(#[source] HashError),
    /// The hash panicked.
    #[error("the hash did not end")]
    Lost(#[source] JoinError),
}

/// The hash of a password that nobody has, with the parameters of every other.
/// It is compared with when there is no account, so that both take the same time.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$/gsGX36g4ADeFtjwUu3OTQ$7UzZLjyERSCIZoWXS4RMGjLsrrsKgkskRrZyWbZYjz4";

/// The working memory of hashes, kept from one to the next. Given back each time, it
/// piles up in the allocator's arenas: 256 MiB after a few hundred sign-ins.
static MEMORY: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

static AT_ONCE: Semaphore = Semaphore::const_new(PASSWORD_HASHES_MAX);

/// The hash of `password` as a PHC string, with a salt of its own and OWASP's
/// parameters for Argon2id (19 MiB, two passes, one lane).
///
/// # Errors
/// Too many at once, or no memory.
pub async fn hash(password: NewPassword) -> Result<String, PasswordError> {
    hash_again(password.into_password()).await
}

/// A new hash of a password that is in use already.
///
/// # Errors
/// As [`hash`].
pub async fn hash_again(password: Password) -> Result<String, PasswordError> {
    off_thread(move || {
        let salt: [u8; 16] = random().map_err(|_| HashError::RngFailure)?;
        let digest = digest(&password, &salt, Params::DEFAULT)?;
        let [salt, digest] = [&salt[..], &digest].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        let (m, t, p) = (
            Params::DEFAULT_M_COST,
            Params::DEFAULT_T_COST,
            Params::DEFAULT_P_COST,
        );
        Ok(format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${digest}"))
    })
    .await
}

/// Whether `hash` was made with less work than a new one takes.
pub fn is_outdated(hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else {
        return false;
    };
    let wanted = Params::DEFAULT;
    let weaker = |made: Params| {
        made.m_cost() < wanted.m_cost()
            || made.t_cost() < wanted.t_cost()
            || made.p_cost() < wanted.p_cost()
    };
    Params::try_from(&hash).is_ok_and(weaker)
}

/// Whether `password` is the one that `hash` was made of. Without a hash it is
/// not, and that takes as long.
///
/// # Errors
/// Too many at once, or a damaged hash.
pub async fn matches(password: Password, hash: Option<String>) -> Result<bool, PasswordError> {
    off_thread(move || {
        let stored = PasswordHash::new(hash.as_deref().unwrap_or(NOBODYS))?;
        if stored.algorithm != Algorithm::Argon2id.ident() {
            return Err(HashError::Algorithm);
        }
        let salt = stored.salt.as_ref().ok_or(HashError::SaltInvalid)?;
        let expected = stored.hash.as_ref().ok_or(HashError::OutputSize)?;
        let digest = digest(&password, salt, Params::try_from(&stored)?)?;
        let is_same: bool = digest.ct_eq(expected.as_bytes()).into();
        Ok(is_same && hash.is_some())
    })
    .await
}

/// Argon2id's output, in memory that was used before.
fn digest(password: &Password, salt: &[u8], params: Params) -> Result<[u8; 32], HashError> {
    let kept = || MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut memory = kept().pop().unwrap_or_default();
    memory.resize(params.block_count(), Block::new());
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut digest = [0; 32];
    let (password, out) = (password.expose(), &mut digest);
    let hashed = argon2.hash_password_into_with_memory(password, salt, out, &mut memory);
    kept().push(memory);
    hashed?;
    Ok(digest)
}

#[expect(
    clippy::disallowed_methods,
    reason = "Argon2 is meant to be slow, and no more than a few run at once."
)]
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HashError> + Send + 'static,
) -> Result<T, PasswordError> {
    let permit = tokio::time::timeout(context::deadline().remaining(), AT_ONCE.acquire());
    let _permit = permit.await.map_err(|_| PasswordError::Busy)?;
    tokio::task::spawn_blocking(work)
        .await
        .map_err(PasswordError::Lost)?
        .map_err(PasswordError::Hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::accounts::Email;

    fn chosen(text: &str) -> NewPassword {
        let email = Email::try_from("ada@example.com".to_owned()).unwrap();
        NewPassword::choose(text.to_owned().into(), &email).unwrap()
    }

    #[tokio::test]
    async fn hash_is_the_one_that_argon2_makes() {
        use argon2::PasswordVerifier;
        let hash = hash(chosen("tr0mbone&Kelp")).await.unwrap();
        let verified = |text: &str| Argon2::default().verify_password(text.as_bytes(), &*hash);
        assert_eq!(verified("tr0mbone&Kelp"), Ok(()));
        assert!(verified("tr0mbone&kelp").is_err());
    }

    #[tokio::test]
    async fn memory_does_not_pile_up() {
        let matches = (0..20).map(|_| matches("nobody".to_owned().into(), None));
        futures::future::try_join_all(matches).await.unwrap();
        assert!(MEMORY.lock().unwrap().len() <= PASSWORD_HASHES_MAX);
    }

    #[tokio::test]
    async fn only_the_same_password_matches() {
        let hash = hash(chosen("tr0mbone&Kelp")).await.unwrap();
        let matches = |text: &str| matches(text.to_owned().into(), Some(hash.clone()));
        assert!(matches("tr0mbone&Kelp").await.unwrap());
        assert!(!matches("tr0mbone&kelp").await.unwrap());
    }

    #[tokio::test]
    async fn without_a_hash_nothing_matches() {
        assert!(!matches("nobody".to_owned().into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn nobodys_hash_costs_what_every_other_costs() {
        let parameters = |hash: &str| hash.split('$').nth(3).map(ToOwned::to_owned);
        let hash = hash(chosen("tr0mbone&Kelp")).await.unwrap();
        assert_eq!(parameters(&hash), parameters(NOBODYS));
        assert_eq!(hash.len(), NOBODYS.len());
    }

    #[tokio::test]
    async fn hash_of_less_work_is_outdated_and_still_matches() {
        let weaker = Argon2::from(Params::new(8 * 1024, 1, 1, None).unwrap());
        let weaker = argon2::PasswordHasher::hash_password(&weaker, b"tr0mbone&Kelp");
        let weaker = weaker.unwrap().to_string();
        assert!(is_outdated(&weaker) && !is_outdated(NOBODYS));
        let password = || Password::from("tr0mbone&Kelp".to_owned());
        assert!(matches(password(), Some(weaker)).await.unwrap());
        assert!(!is_outdated(&hash_again(password()).await.unwrap()));
    }

    #[tokio::test]
    async fn damaged_hash_is_an_error() {
        let damaged = Some("$argon2id$v=19$".to_owned());
        assert!(matches("any".to_owned().into(), damaged).await.is_err());
    }
}
