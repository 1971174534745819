//! The login of a function: read again when it is refused, and tried out before it is used.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures::future::{join_all, select_ok};
use secrecy::{ExposeSecret, SecretString};

use super::Database;
use super::node::{self, Member};
use crate::clock;
use crate::resilience::policies::{LOGIN_TRIAL_PAUSE, REPLICA_LAG, SECRET_READ_PAUSE};
use crate::resilience::{Intent, call};
use crate::store::StoreError;
use crate::store::logins::Login;

impl Database {
    /// Whether every node lets `login` in: the writer, and whichever others answer. One that
    /// follows the writer may be a moment behind, and is asked again.
    ///
    /// # Errors
    /// A node refuses it, or no node accepts writes.
    pub async fn admit(&self, login: &Login) -> Result<(), StoreError> {
        let members = self.members().await?;
        call(Intent::DatabaseConnect, || async {
            self.writer(members).await?.admit(login).await
        })
        .await?;
        let until = Instant::now() + REPLICA_LAG;
        while let Some(refusal) = refusal(members, login).await {
            if Instant::now() >= until {
                return Err(refusal.into());
            }
            tokio::time::sleep(LOGIN_TRIAL_PAUSE).await;
        }
        Ok(())
    }

    /// Reads the login from its secret, as it is now, for all new connections: of its
    /// versions the first that a node lets in. Not for every refusal: it may have been right.
    pub(super) async fn renew_login(&self, members: &[Arc<Member>]) {
        let now = clock::now().unix_timestamp();
        let pause = now - self.0.no_login_at.load(Ordering::Relaxed);
        if u64::try_from(pause).is_ok_and(|age| age < SECRET_READ_PAUSE.as_secs()) {
            return;
        }
        for value in self.0.secrets.versions(&self.0.config.secret_id).await {
            if let Some(login) = admitted(members, &value).await {
                members.iter().for_each(|member| member.set_login(&login));
                self.0.secrets.keep(&self.0.config.secret_id, value);
                return;
            }
        }
        self.0.no_login_at.store(now, Ordering::Relaxed);
        tracing::warn!("the database refuses every login that can be read");
    }
}

/// What a node that answers says against a login.
async fn refusal(members: &[Arc<Member>], login: &Login) -> Option<sqlx::Error> {
    let answers = join_all(members.iter().map(|member| member.admit(login))).await;
    let mut errors = answers.into_iter().filter_map(Result::err);
    errors.find(node::is_login_refused)
}

/// The login in a secret's value, if some node lets it in.
async fn admitted(members: &[Arc<Member>], value: &SecretString) -> Option<Login> {
    let login: Login = serde_json::from_str(value.expose_secret()).ok()?;
    let asked = members.iter().map(|member| Box::pin(member.admit(&login)));
    let is_admitted = select_ok(asked).await.is_ok();
    is_admitted.then_some(login)
}
