//! Password hashes: Argon2id, off the thread that serves requests.

use argon2::Argon2;
use argon2::password_hash::{Error as HashError, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;
use tokio::task::JoinError;

use crate::context;
use crate::domain::accounts::{NewPassword, Password};
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

static AT_ONCE: Semaphore = Semaphore::const_new(PASSWORD_HASHES_MAX);

/// The hash of `password` as a PHC string, with a salt of its own and OWASP's
/// parameters for Argon2id (19 MiB, two passes, one lane).
///
/// # Errors
/// Too many at once, or no memory.
pub async fn hash(password: NewPassword) -> Result<String, PasswordError> {
    off_thread(move || {
        let password = password.into_password();
        let hash = Argon2::default().hash_password(password.expose());
        hash.map(|hash| hash.to_string())
    })
    .await
}

/// Whether `password` is the one that `hash` was made of. Without a hash it is
/// not, and that takes as long.
///
/// # Errors
/// Too many at once, or a damaged hash.
pub async fn matches(password: Password, hash: Option<String>) -> Result<bool, PasswordError> {
    off_thread(move || {
        let stored = hash.as_deref().unwrap_or(NOBODYS);
        match Argon2::default().verify_password(password.expose(), stored) {
            Ok(()) => Ok(hash.is_some()),
            Err(HashError::PasswordInvalid) => Ok(false),
            Err(error) => Err(error),
        }
    })
    .await
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
    async fn damaged_hash_is_an_error() {
        let damaged = Some("$argon2id$v=19$".to_owned());
        assert!(matches("any".to_owned().into(), damaged).await.is_err());
    }
}
