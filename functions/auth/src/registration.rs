//! Registering.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::domain::accounts::{Email, Name, NewPassword};
use shared::domain::events::Event;
use shared::domain::flags::Flag;
use shared::domain::ids;
use shared::domain::money::Currency;
use shared::events;
use shared::http::{ApiError, Json, Problem};
use shared::providers::passwords;
use shared::store::accounts::{self, NewAccount};
use shared::store::{PgConnection, StoreError, outbox};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;

/// Somebody who wants an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Register {
    /// Shown as typed, compared without regard to case. Letters of alphabets that look
    /// alike do not stand together.
    #[schema(example = "ada@example.com", max_length = 254)]
    email: String,
    /// 8 to 128 characters of any script, 15 or more advised; not one that is easy to guess.
    #[schema(
        example = "tr0mbone&Kelp",
        format = "password",
        min_length = 8,
        max_length = 128
    )]
    password: String,
    /// How to address them.
    #[schema(example = "Ada Lovelace", min_length = 1, max_length = 100)]
    name: String,
}

/// A mail is under way.
#[derive(Serialize, ToSchema)]
pub(crate) struct VerificationSent {
    /// Always `verification_sent`, whether or not the address has an account.
    #[schema(example = "verification_sent")]
    status: &'static str,
}

impl VerificationSent {
    pub(crate) const fn answer() -> (StatusCode, Json<Self>) {
        let status = "verification_sent";
        (StatusCode::ACCEPTED, Json(Self { status }))
    }
}

/// Registers an account.
///
/// The answer is the same for an address that has an account; its owner is told
/// by mail. A new account can sign in and buy at once.
#[utoipa::path(
    post, path = "/auth/register", tag = "accounts", request_body = Register,
    responses(
        (status = 202, body = VerificationSent),
        (status = 422, description = "The address, the name or the password will not do.", body = Problem, content_type = "application/problem+json"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database is away."),
    )
)]
pub(crate) async fn register(
    State(state): State<AppState>,
    Json(body): Json<Register>,
) -> Result<(StatusCode, Json<VerificationSent>), ApiError> {
    state.flags.require(Flag::Registration).await?;
    let email = Email::try_from(body.email)?;
    let name = Name::try_from(body.name)?;
    let password = NewPassword::choose(body.password.into(), &email)?;
    // Hashed whether or not the address is taken, so that both take the same time.
    let password_hash = passwords::hash(password).await?;
    let account = NewAccount {
        id: ids::new_id(),
        wallet_id: ids::new_id(),
        email: &email,
        name: &name,
        password_hash: &password_hash,
    };
    let user_id = store(&state, &account).await?;
    events::publish(&state, user_id).await;
    Ok(VerificationSent::answer())
}

async fn store(state: &AppState, account: &NewAccount<'_>) -> Result<Uuid, StoreError> {
    let may_tell = state.limits.may_mail("registration", account.email).await;
    let currency = state.config.currency;
    let stored = state.database.transact(async |tx| {
        let (user_id, event) = match insert(tx, account, currency).await? {
            Stored::New => {
                let user_id = account.id;
                (user_id, Event::AccountRegistered { user_id })
            }
            Stored::Taken(owner) => {
                // Who was told often enough is not told again: the event is about an
                // account that does not exist then, and all takes as long.
                let user_id = owner.filter(|_| may_tell).unwrap_or(account.id);
                (user_id, Event::AddressTaken { user_id })
            }
        };
        outbox::add(tx, user_id, &event).await?;
        Ok::<_, StoreError>(user_id)
    });
    stored.await
}

/// What became of a registration.
enum Stored {
    /// There is a new account.
    New,
    /// The address has one: whose, unless it was erased this moment.
    Taken(Option<Uuid>),
}

async fn insert(
    tx: &mut PgConnection,
    account: &NewAccount<'_>,
    currency: Currency,
) -> Result<Stored, StoreError> {
    if accounts::insert(tx, account).await? {
        accounts::insert_wallet(tx, account, currency).await?;
        return Ok(Stored::New);
    }
    Ok(Stored::Taken(accounts::owner_of(tx, account.email).await?))
}
