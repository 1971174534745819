//! Asking for a mail with a token, without telling whether an address has an account.

use shared::domain::accounts::Email;
use shared::domain::events::Event;
use shared::domain::ids;
use shared::events;
use shared::resilience::policies::ACCOUNT_LOOKUP_FLOOR;
use shared::store::{StoreError, accounts, outbox};
use uuid::Uuid;

use crate::AppState;

/// A mail that anybody may have sent to an account's owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// To verify an address that is not verified yet.
    Verification,
    /// To choose another password.
    PasswordReset,
}

impl Wanted {
    const fn name(self) -> &'static str {
        match self {
            Self::Verification => "verification",
            Self::PasswordReset => "password-reset",
        }
    }

    const fn event(self, user_id: Uuid) -> Event {
        match self {
            Self::Verification => Event::VerificationRequested { user_id },
            Self::PasswordReset => Event::PasswordResetRequested { user_id },
        }
    }
}

/// Asks for a mail to be sent, if there is anybody to send it to, and not too many
/// were. The same is done and takes as long when there is not: the event is about
/// an account that does not exist then, and the mailer finds nobody.
pub(crate) async fn request(
    state: &AppState,
    wanted: Wanted,
    email: &Email,
) -> Result<(), StoreError> {
    let soonest = tokio::time::sleep(ACCOUNT_LOOKUP_FLOOR);
    let requested = record(state, wanted, email).await;
    soonest.await;
    requested
}

async fn record(state: &AppState, wanted: Wanted, email: &Email) -> Result<(), StoreError> {
    let is_allowed = state.limits.may_mail(wanted.name(), email).await;
    let recorded = state.database.write(async |tx| {
        let owner = match wanted {
            Wanted::Verification => accounts::unverified_owner_of(tx, email).await?,
            Wanted::PasswordReset => accounts::owner_of(tx, email).await?,
        };
        let owner = owner.filter(|_| is_allowed).unwrap_or_else(ids::new_id);
        outbox::add(tx, owner, &wanted.event(owner)).await?;
        Ok(owner)
    });
    let owner = recorded.await?;
    events::publish(state, owner).await;
    Ok(())
}
