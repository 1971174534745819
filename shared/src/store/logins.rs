//! The logins of the functions, and the one change to them that a rotation makes.

mod scram;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::StoreError;
use super::database::Connection;

/// A login as its secret holds it. Its password is masked in `Debug`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Login {
    /// One of the two that inherit the function's role.
    pub username: String,
    /// Its password.
    #[serde(serialize_with = "expose")]
    pub password: SecretString,
}

fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

/// Gives the login of a function its password, of which only a SCRAM verifier is sent.
///
/// # Errors
/// It is no function's login, or the database is away.
pub async fn set_password(connection: &mut Connection, login: &Login) -> Result<(), StoreError> {
    let verifier = scram::verifier(&login.password)
        .map_err(|_| StoreError::Unavailable("the system has no randomness to give".into()))?;
    sqlx::query("select set_login_verifier($1, $2)")
        .bind(&login.username)
        .bind(verifier)
        .execute(connection)
        .await?;
    Ok(())
}
