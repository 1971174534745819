//! Showing a second factor.

use axum::extract::State;
use serde::Serialize;
use shared::clock;
use shared::domain::accounts::AccountError;
use shared::domain::totp::{Code, STEP_UP_LIFETIME};
use shared::http::{ApiError, Json, Kind, Problem, User};
use shared::providers::signing::{Subject, TOKEN_SECONDS};
use shared::store::accounts::{self, Account};
use shared::store::totp::Stage;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::codes::{self, Given, Judged};
use crate::sign_in;
use crate::totp::GivenCode;

/// An access token of after a second factor.
#[derive(Serialize, ToSchema)]
pub(crate) struct SteppedUpToken {
    /// A JWT for the `Authorization` header.
    pub(crate) access_token: String,
    /// Always `Bearer`.
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// How long the access token is good, in seconds.
    #[schema(example = 900)]
    pub(crate) expires_in: i64,
    /// Until when it does what needs a second factor; its claim `step_up_until` says the same.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    step_up_until: OffsetDateTime,
}

/// Shows a second factor.
///
/// The answer's access token does what needs one: kill switches, breakers, refunds,
/// credits, roles. The session and its refresh token stay as they are. A code is good
/// once, a recovery code too.
#[utoipa::path(
    post, path = "/auth/step-up", tag = "accounts", request_body = GivenCode, security(("bearer" = [])),
    responses(
        (status = 200, body = SteppedUpToken),
        (status = 401, description = "No valid access token (`unauthorized`), or not a good code (`invalid-credentials`).", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The account has no second factor yet.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It can be no code.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many wrong codes.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn step_up(
    State(state): State<AppState>,
    user: User,
    Json(body): Json<GivenCode>,
) -> Result<Json<SteppedUpToken>, ApiError> {
    show(&state, user.id(), &body.code).await.map(Json)
}

/// The token of who gives a good code.
pub(crate) async fn show(
    state: &AppState,
    user_id: Uuid,
    code: &str,
) -> Result<SteppedUpToken, ApiError> {
    let code = Code::try_from(code)?;
    let now = clock::now();
    let account = check(state, user_id, &code, now).await?;
    // In whole seconds, as the claim is.
    let until = (now + STEP_UP_LIFETIME).replace_nanosecond(0);
    let step_up_until = until.map_err(ApiError::internal)?;
    let subject = Subject {
        step_up_until: Some(step_up_until),
        ..sign_in::subject(account.id, sign_in::holder(&account), now)
    };
    Ok(SteppedUpToken {
        access_token: state.signer.sign(subject).await?,
        token_type: "Bearer",
        expires_in: TOKEN_SECONDS,
        step_up_until,
    })
}

/// The account, if the code is good.
async fn check(
    state: &AppState,
    user_id: Uuid,
    code: &Code,
    at: OffsetDateTime,
) -> Result<Account, ApiError> {
    let key = state.secrets.seal_key(&state.config.totp_key);
    let key = &key.await?;
    let given = Given {
        user_id,
        code,
        at,
        key,
    };
    let checked = state.database.transact(async |tx| {
        let judged = codes::judge(tx, Stage::Confirmed, &given).await?;
        let account = accounts::by_id(&mut *tx, user_id).await?;
        Ok::<_, ApiError>((judged, account))
    });
    let (judged, account) = checked.await?;
    match judged {
        Judged::Good(_) => account.ok_or_else(|| ApiError::new(Kind::Unauthorized)),
        Judged::Bad => Err(AccountError::Credentials.into()),
        Judged::TooMany(wait) => Err(codes::too_many_codes(wait)),
    }
}
