//! Judging the codes of second factors: one after the other, each good once, and
//! not many wrong ones.

use shared::domain::accounts::AccountError;
use shared::domain::sealed::{BrokenSeal, SealKey};
use shared::domain::totp::{Code, TotpSecret, Verdict, pause, used_with};
use shared::http::{ApiError, too_many};
use shared::store::PgConnection;
use shared::store::totp::{self, Enrolment, Stage};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// A code that somebody gave.
pub(crate) struct Given<'a> {
    pub(crate) user_id: Uuid,
    pub(crate) code: &'a Code,
    pub(crate) at: OffsetDateTime,
    /// What secrets are sealed with.
    pub(crate) key: &'a SealKey,
}

/// What a code came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// It is good, and used up; of which second factor.
    Good(Uuid),
    /// It is wrong, or was used before.
    Bad,
    /// It was not looked at: so long, because of too many wrong ones.
    TooMany(Duration),
}

/// Judges a code. To be committed whatever comes of it: wrong ones are counted.
pub(crate) async fn judge(
    tx: &mut PgConnection,
    stage: Stage,
    given: &Given<'_>,
) -> Result<Judged, ApiError> {
    let enrolment = totp::lock(tx, given.user_id, stage).await?;
    let enrolment = enrolment.ok_or(AccountError::NoSecondFactor)?;
    let failed_at = enrolment.failed_at.unwrap_or(given.at);
    if let Some(wait) = pause(enrolment.failures, failed_at, given.at) {
        return Ok(Judged::TooMany(wait));
    }
    match given.code {
        Code::Digits(digits) => {
            match secret(&enrolment, given)?.judge(digits, given.at, &enrolment.used_steps) {
                Verdict::Good(step) => {
                    good(tx, &enrolment, &used_with(&enrolment.used_steps, step)).await
                }
                // Whoever sends it saw it, and has not guessed.
                Verdict::Repeated => Ok(Judged::Bad),
                Verdict::Wrong => wrong(tx, &enrolment).await,
            }
        }
        Code::Recovery(code) => {
            if totp::use_recovery_code(tx, enrolment.id, &code.digest()).await? {
                good(tx, &enrolment, &enrolment.used_steps).await
            } else {
                wrong(tx, &enrolment).await
            }
        }
    }
}

async fn good(
    tx: &mut PgConnection,
    enrolment: &Enrolment,
    used_steps: &[i64],
) -> Result<Judged, ApiError> {
    totp::record_use(tx, enrolment.id, used_steps).await?;
    Ok(Judged::Good(enrolment.id))
}

async fn wrong(tx: &mut PgConnection, enrolment: &Enrolment) -> Result<Judged, ApiError> {
    totp::record_failure(tx, enrolment.id).await?;
    Ok(Judged::Bad)
}

fn secret(enrolment: &Enrolment, given: &Given<'_>) -> Result<TotpSecret, BrokenSeal> {
    let secret = given.key.open(&enrolment.secret, given.user_id)?;
    TotpSecret::from_bytes(&secret).ok_or(BrokenSeal)
}

/// A refusal because of wrong codes, which says when one is looked at again.
pub(crate) fn too_many_codes(wait: Duration) -> ApiError {
    too_many(wait.unsigned_abs())
}
