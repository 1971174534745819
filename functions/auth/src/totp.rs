//! Setting a second factor up.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::clock;
use shared::domain::accounts::AccountError;
use shared::domain::events::Event;
use shared::domain::ids;
use shared::domain::secrets::{Digest, NoRandomness};
use shared::domain::totp::{Code, RECOVERY_CODES, RecoveryCode, TotpSecret};
use shared::events;
use shared::http::{ApiError, Json, Kind, Problem, User};
use shared::store::totp::{self, Stage};
use shared::store::{PgConnection, StoreError, accounts, outbox};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::codes::{self, Judged};

/// A second factor that waits for its first code. Shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewFactor {
    /// For a device that takes it typed: base32.
    #[schema(example = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")]
    secret: String,
    /// The same for a QR code.
    #[schema(
        example = "otpauth://totp/Holdfast:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Holdfast"
    )]
    otpauth_url: String,
    /// To be written down: each is good once, in the place of a code.
    #[schema(example = json!(["MZXW-6YTB-OI3D-2NBT"]))]
    recovery_codes: Vec<String>,
}

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GivenCode {
    /// The six digits that the device shows. A recovery code where one is in use already.
    #[schema(example = "287082")]
    pub(crate) code: String,
}

/// Sets a second factor up.
///
/// It is in use from its first code on, see `POST /auth/totp/confirm`; until then the
/// one before is. To replace one takes a token of after `POST /auth/step-up`.
#[utoipa::path(
    post, path = "/auth/totp", tag = "accounts", security(("bearer" = [])),
    responses(
        (status = 200, body = NewFactor),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "There is one in use, and the token is not of after a second factor (`step-up-required`).", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set_up_totp(
    State(state): State<AppState>,
    user: User,
) -> Result<Json<NewFactor>, ApiError> {
    let key = state.secrets.seal_key(&state.config.totp_key);
    let key = key.await?;
    let secret = TotpSecret::generate()?;
    let codes = (0..RECOVERY_CODES).map(|_| RecoveryCode::generate());
    let codes = codes.collect::<Result<Vec<_>, NoRandomness>>()?;
    let digests: Vec<Digest> = codes.iter().map(RecoveryCode::digest).collect();
    let sealed = key.seal(secret.as_bytes(), user.id())?;
    let email = state
        .database
        .transact(async |tx| insert(tx, &user, &sealed, &digests).await)
        .await?;
    Ok(Json(NewFactor {
        secret: secret.to_text(),
        otpauth_url: secret.url(&state.config.shop_name, &email),
        recovery_codes: codes.iter().map(RecoveryCode::to_text).collect(),
    }))
}

/// Keeps the new factor in the place of one that waited; the account's address.
async fn insert(
    tx: &mut PgConnection,
    user: &User,
    sealed: &[u8],
    codes: &[Digest],
) -> Result<String, ApiError> {
    // Under the account's lock, so that of two at once the second replaces the first.
    accounts::lock_role(tx, user.id()).await?;
    let account = accounts::by_id(&mut *tx, user.id()).await?;
    let account = account.ok_or_else(|| ApiError::new(Kind::Unauthorized))?;
    if totp::is_confirmed(&mut *tx, user.id()).await? && !user.has_stepped_up() {
        return Err(ApiError::step_up_required());
    }
    let id = ids::new_id();
    totp::forget(tx, user.id(), Stage::Pending).await?;
    totp::insert(tx, id, user.id(), sealed).await?;
    totp::insert_recovery_codes(tx, id, codes).await?;
    Ok(account.email)
}

/// Takes a second factor into use, with its first code.
///
/// The owner is told by mail. The code is used up: the next step takes the next one.
#[utoipa::path(
    post, path = "/auth/totp/confirm", tag = "accounts", request_body = GivenCode, security(("bearer" = [])),
    responses(
        (status = 204, description = "It is in use."),
        (status = 401, description = "No valid access token.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "None waits for its first code.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is not the code.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong codes.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn confirm_totp(
    State(state): State<AppState>,
    user: User,
    Json(body): Json<GivenCode>,
) -> Result<StatusCode, ApiError> {
    let code = Code::try_from(body.code.as_str())?;
    let code = Some(code).filter(|code| matches!(code, Code::Digits(_)));
    let code = code.ok_or(AccountError::Code)?;
    let key = state.secrets.seal_key(&state.config.totp_key);
    let given = codes::Given {
        user_id: user.id(),
        code: &code,
        at: clock::now(),
        key: &key.await?,
    };
    let judged = state.database.transact(async |tx| {
        let judged = codes::judge(tx, Stage::Pending, &given).await?;
        if let Judged::Good(id) = judged {
            take_into_use(tx, user.id(), id).await?;
        }
        Ok::<_, ApiError>(judged)
    });
    match judged.await? {
        Judged::Good(_) => {
            events::publish(&state, user.id()).await;
            Ok(StatusCode::NO_CONTENT)
        }
        Judged::Bad => Err(ApiError::invalid("/code", "is not the code that is shown")),
        Judged::TooMany(wait) => Err(codes::too_many_codes(wait)),
    }
}

async fn take_into_use(tx: &mut PgConnection, user_id: Uuid, id: Uuid) -> Result<(), StoreError> {
    totp::forget(tx, user_id, Stage::Confirmed).await?;
    totp::confirm(tx, id).await?;
    outbox::add(tx, user_id, &Event::SecondFactorSet { user_id }).await?;
    Ok(())
}
