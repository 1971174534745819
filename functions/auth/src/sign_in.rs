//! Where accounts, sessions and keys meet: signing in and refreshing.

use serde::Serialize;
use shared::clock;
use shared::domain::accounts::{AccountError, Email, Password, Role};
use shared::domain::limits::Network;
use shared::domain::sessions::{FAMILY_LIFETIME, Family, Holder, RefreshToken, Verdict};
use shared::dynamo::DynamoError;
use shared::http::{ApiError, Kind, too_many};
use shared::providers::passwords;
use shared::providers::signing::{Subject, TOKEN_SECONDS};
use shared::resilience::policies::PASSWORD_RENEW_TIMEOUT;
use shared::store::StoreError;
use shared::store::accounts::{self, Account};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;

/// Two tokens, and whose they are.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignedIn {
    /// A JWT for the `Authorization` header.
    pub(crate) access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How long the access token is good, in seconds.
    #[schema(example = 900)]
    pub(crate) expires_in: i64,
    /// Good once, for the next pair; null while the session store is away.
    pub(crate) refresh_token: Option<String>,
    /// How long the session lasts, in seconds; null without one.
    #[schema(example = 2_592_000)]
    refresh_expires_in: Option<i64>,
    user: UserView,
}

impl SignedIn {
    /// Whose tokens they are.
    pub(crate) const fn user_id(&self) -> Uuid {
        self.user.id
    }

    /// Whether theirs is the role that may do everything.
    pub(crate) fn is_admin(&self) -> bool {
        self.user.role == Role::Admin
    }

    /// The refresh token, and how long its session lasts in seconds.
    pub(crate) fn session(&self) -> Option<(&str, i64)> {
        self.refresh_token.as_deref().zip(self.refresh_expires_in)
    }
}

/// Who signed in.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    id: Uuid,
    #[schema(example = "ada@example.com")]
    email: String,
    #[schema(example = "Ada Lovelace")]
    name: String,
    role: Role,
    email_verified: bool,
}

/// A new pair of tokens.
#[derive(Serialize, ToSchema)]
pub(crate) struct Refreshed {
    /// A JWT for the `Authorization` header.
    pub(crate) access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How long the access token is good, in seconds.
    #[schema(example = 900)]
    pub(crate) expires_in: i64,
    /// Good once, for the next pair.
    pub(crate) refresh_token: String,
    /// How long the session still lasts, in seconds.
    #[schema(example = 2_592_000)]
    pub(crate) refresh_expires_in: i64,
    /// What the access token says of its holder.
    #[serde(skip)]
    role: Role,
}

impl Refreshed {
    /// Whether theirs is the role that may do everything.
    pub(crate) fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// Two requests that spend the same token settle in two rounds.
const ROUNDS_MAX: usize = 3;

/// Checks the password and begins a session, which an access token can do without.
/// Failures are counted alike whether or not there is such an account.
pub(crate) async fn sign_in(
    state: &AppState,
    email: &Email,
    password: Password,
    from: Network,
) -> Result<SignedIn, ApiError> {
    let attempt = state.limits.begin_sign_in(email, from).await;
    let attempt = attempt.map_err(too_many)?;
    let as_of = clock::now();
    let Some(account) = authenticate(state, email, password.clone()).await? else {
        state.limits.sign_in_failed(&attempt).await;
        return Err(AccountError::Credentials.into());
    };
    let holder = holder(&account);
    let subject = subject(account.id, holder, as_of);
    let access_token = state.signer.sign(subject).await?;
    let (session, (), ()) = tokio::join!(
        state.sessions.begin(account.id, holder),
        state.limits.sign_in_succeeded(&attempt),
        renew_hash(state, &account, password)
    );
    let session = session
        .inspect_err(|error| tracing::warn!(error = %error, "signed in without a session"))
        .ok();
    Ok(SignedIn {
        access_token,
        token_type: "Bearer",
        expires_in: TOKEN_SECONDS,
        refresh_expires_in: session.as_ref().map(|_| FAMILY_LIFETIME.whole_seconds()),
        refresh_token: session.map(|(_, token)| token.to_text()),
        user: UserView {
            id: account.id,
            email: account.email,
            name: account.name,
            role: holder.role,
            email_verified: holder.email_verified,
        },
    })
}

/// The account with this address and password. Compares also when there is none.
async fn authenticate(
    state: &AppState,
    email: &Email,
    password: Password,
) -> Result<Option<Account>, ApiError> {
    let account = state
        .database
        .read_own(|pool| async move { accounts::by_email(&pool, email).await })
        .await?;
    let hash = account
        .as_ref()
        .map(|account| account.password_hash.clone());
    let matches = passwords::matches(password, hash).await?;
    Ok(account.filter(|_| matches))
}

/// Hashes a password anew whose hash was made with less work than is usual now.
/// Somebody who signs in is the only one who has it.
async fn renew_hash(state: &AppState, account: &Account, password: Password) {
    if !passwords::is_outdated(&account.password_hash) {
        return;
    }
    let renewed = async {
        let hash = passwords::hash_again(password).await?;
        state
            .database
            .write(async |tx| accounts::renew_hash(tx, account, &hash).await)
            .await?;
        Ok::<_, ApiError>(())
    };
    match tokio::time::timeout(PASSWORD_RENEW_TIMEOUT, renewed).await {
        Ok(Ok(())) => tracing::info!("a password was hashed anew"),
        Ok(Err(_)) | Err(_) => tracing::warn!("a password keeps its weaker hash for now"),
    }
}

/// Spends `presented` for its successor; also what was missing meanwhile.
pub(crate) async fn refresh(
    state: &AppState,
    presented: &RefreshToken,
) -> Result<(Refreshed, Option<&'static str>), ApiError> {
    let key = &state.config.session_key;
    let successor = presented.successor(&state.secrets.session_key(key).await?);
    for _ in 0..ROUNDS_MAX {
        let as_of = clock::now();
        let family = state.sessions.family(presented).await?;
        let family = family.ok_or(AccountError::Credentials)?;
        match family.judge(&presented.digest(), clock::now()) {
            Verdict::Over => return Err(AccountError::Credentials.into()),
            Verdict::Revoke => {
                state.sessions.end(family.user_id, family.family_id).await?;
                tracing::warn!(session.id = %family.family_id, "a spent refresh token came again");
                return Err(AccountError::Credentials.into());
            }
            Verdict::Repeat => {
                let subject = subject(family.user_id, family.holder(), as_of);
                return Ok((answer(state, &family, &successor, subject).await?, None));
            }
            Verdict::Rotate => {}
        }
        let (holder, missing) = current_holder(state, &family).await?;
        match state.sessions.rotate(&family, &successor, holder).await {
            Ok(()) => {
                let subject = subject(family.user_id, holder, as_of);
                let answer = answer(state, &family, &successor, subject).await?;
                return Ok((answer, missing));
            }
            Err(DynamoError::ConditionFailed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ApiError::new(Kind::Unavailable).caused_by("a session is refreshed by many at once"))
}

/// The account as it is now or, with the database away, as it was at the last refresh.
async fn current_holder(
    state: &AppState,
    family: &Family,
) -> Result<(Holder, Option<&'static str>), ApiError> {
    let id = family.user_id;
    let account = state
        .database
        .read_own(|pool| async move { accounts::by_id(&pool, id).await })
        .await;
    match account {
        Ok(Some(account)) if !family.is_of_the_past(holder(&account)) => {
            Ok((holder(&account), None))
        }
        Ok(_) => {
            state.sessions.end(id, family.family_id).await?;
            Err(AccountError::Credentials.into())
        }
        Err(error @ StoreError::Unavailable(_)) => {
            tracing::warn!(error = %error, "refreshed without the database");
            Ok((family.holder(), Some("database")))
        }
        Err(error) => Err(error.into()),
    }
}

async fn answer(
    state: &AppState,
    family: &Family,
    successor: &RefreshToken,
    subject: Subject,
) -> Result<Refreshed, ApiError> {
    let role = subject.role;
    Ok(Refreshed {
        access_token: state.signer.sign(subject).await?,
        token_type: "Bearer",
        expires_in: TOKEN_SECONDS,
        refresh_token: successor.to_text(),
        refresh_expires_in: (family.expires_at - clock::now()).whole_seconds(),
        role,
    })
}

/// Whom a token is issued for that says what was known of the account at `as_of`.
pub(crate) const fn subject(user_id: Uuid, holder: Holder, as_of: OffsetDateTime) -> Subject {
    Subject {
        user_id,
        role: holder.role,
        wallet_id: holder.wallet_id,
        email_verified: holder.email_verified,
        step_up_until: None,
        as_of,
    }
}

/// Whom a session of an account signs in.
pub(crate) const fn holder(account: &Account) -> Holder {
    Holder {
        role: account.role,
        wallet_id: account.wallet_id,
        email_verified: account.email_verified_at.is_some(),
        epoch: account.session_epoch,
    }
}
