//! The database login of a function. It has two; a rotation changes the one that is idle.

use secrecy::{ExposeSecret, SecretString};
use shared::domain::secrets::Opaque;
use shared::events::Step;
use shared::store::logins::{self, Login};

use crate::ring::nothing_to_test;
use crate::{Outcome, RotationError, Work};

/// Does a step other than the last for the function with this group role.
pub(crate) async fn step(work: &Work<'_>, role: &str) -> Result<Outcome, RotationError> {
    let pending = work.pending().await?;
    match (work.rotation.step, pending) {
        (Step::CreateSecret, Some(_)) => Ok(Outcome::DoneBefore),
        (Step::CreateSecret, None) => create(work, role).await,
        (Step::TestSecret, None) => nothing_to_test(),
        (_, None) => Err(RotationError::NoValue),
        (Step::TestSecret, Some(pending)) => test(work, &read(&pending, "pending")?).await,
        (_, Some(pending)) => set(work, role, &read(&pending, "pending")?).await,
    }
}

async fn create(work: &Work<'_>, role: &str) -> Result<Outcome, RotationError> {
    let current = read(&work.current().await?, "current")?;
    let password = Opaque::generate().map_err(|_| RotationError::NoRandomness)?;
    let login = Login {
        username: idle(role, &current.username).ok_or(RotationError::Shape("current"))?,
        password: password.to_text().into(),
    };
    let text = serde_json::to_string(&login).map_err(|_| RotationError::Shape("new"))?;
    work.store(text.into()).await
}

/// Gives the idle login its password. The one in use is never changed, so nobody who works
/// with it is disturbed.
async fn set(work: &Work<'_>, role: &str, pending: &Login) -> Result<Outcome, RotationError> {
    let current = read(&work.current().await?, "current")?;
    if idle(role, &current.username).as_ref() != Some(&pending.username) {
        return Err(RotationError::Untrue(
            "the pending login is not the idle one",
        ));
    }
    work.state
        .database
        .transact(async |tx| logins::set_password(tx, pending).await)
        .await?;
    Ok(Outcome::Done)
}

async fn test(work: &Work<'_>, pending: &Login) -> Result<Outcome, RotationError> {
    work.state.database.admit(pending).await?;
    Ok(Outcome::Done)
}

/// The other login of the role; none where the one in use is not the role's.
fn idle(role: &str, in_use: &str) -> Option<String> {
    let other = match in_use.strip_prefix(role)? {
        "_a" => "_b",
        "_b" => "_a",
        _ => return None,
    };
    Some(format!("{role}{other}"))
}

fn read(text: &SecretString, which: &'static str) -> Result<Login, RotationError> {
    serde_json::from_str(text.expose_secret()).map_err(|_| RotationError::Shape(which))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_alternate_and_another_roles_is_refused() {
        assert_eq!(
            idle("order_worker", "order_worker_a").unwrap(),
            "order_worker_b"
        );
        assert_eq!(
            idle("order_worker", "order_worker_b").unwrap(),
            "order_worker_a"
        );
        for in_use in [
            "auth_a",
            "order_worker",
            "order_worker_c",
            "order_worker_x_a",
            "",
        ] {
            assert_eq!(idle("order_worker", in_use), None, "{in_use}");
        }
    }

    #[test]
    fn no_value_is_shown() {
        let text = SecretString::from(r#"{"username": "auth_a", "password": "hunter2"}"#);
        let login = read(&text, "current").unwrap();
        assert!(!format!("{login:?}").contains("hunter2"));
    }
}
