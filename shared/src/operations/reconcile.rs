//! Compares payments with the provider's own list: repairs what is safe and
//! reports the rest. It is the net below everything else that finds out what a
//! charge came to, and is meant to find nothing.

use time::OffsetDateTime;
use uuid::Uuid;

use super::OperationError;
use super::record_payment::Hears;
use super::settle_payment::record;
use crate::clock;
use crate::providers::payments::Made;
use crate::resilience::policies::{
    RECONCILE_OVERLAP, RECONCILE_PAUSE, RECONCILE_SETTLED, RECONCILE_STEP,
};
use crate::state::Selling;
use crate::store::payments::AttemptState;
use crate::store::reconciliation::{self, Compared};
use crate::telemetry;

/// Orders out of balance that one run reports.
const REPORTS_MAX: i64 = 100;

/// A payment on which the provider and we do not agree.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Difference {
    /// The provider charged it and we do not know: recorded now.
    NotRecorded { order_id: Uuid, attempt_id: Uuid },
    /// A person must look at it.
    Report(&'static str),
}

/// Compares what was made since the last time, at most every few minutes; the
/// number of payments that were repaired, or nothing when it is not due.
///
/// # Errors
/// The provider gave no answer, or the database's. Then the same is compared again.
pub async fn reconcile(state: &Selling) -> Result<Option<usize>, OperationError> {
    let claimed = state
        .database
        .write(async |tx| reconciliation::claim(tx, RECONCILE_PAUSE.as_secs_f64()).await);
    let Some(compared_until) = claimed.await? else {
        return Ok(None);
    };
    let (from, until) = stretch(compared_until, clock::now());
    let made = state.payments.made_between(from, until).await?;
    let ids: Vec<_> = made.iter().map(|payment| payment.attempt_id).collect();
    let compared = state.database.write(async |tx| {
        let ours = reconciliation::attempts(tx, &ids).await?;
        let unbalanced = reconciliation::orders_out_of_balance(tx, from, REPORTS_MAX).await?;
        Ok((ours, unbalanced))
    });
    let (ours, unbalanced) = compared.await?;
    for order_id in &unbalanced {
        tracing::error!(order.id = %order_id, "the order's money is not the sum of its payment events");
    }
    let (repaired, reported) = repair(state, &made, &ours).await?;
    tell(unbalanced.len() + reported);
    state
        .database
        .write(async |tx| reconciliation::compared_until(tx, until).await)
        .await?;
    Ok(Some(repaired))
}

/// What is looked at this time: from a while before where the last ended, at
/// most one step.
fn stretch(
    compared_until: OffsetDateTime,
    now: OffsetDateTime,
) -> (OffsetDateTime, OffsetDateTime) {
    let until = (now - RECONCILE_SETTLED).min(compared_until + RECONCILE_STEP);
    (compared_until - RECONCILE_OVERLAP, until)
}

/// For the alarm: how many orders and payments a person must look at.
fn tell(reports: usize) {
    let reports = u32::try_from(reports).unwrap_or(u32::MAX);
    telemetry::count(
        ("job", "reconcile"),
        &[("PaymentsOutOfBalance", reports.into())],
    );
}

/// How many payments were repaired, and how many reported.
async fn repair(
    state: &Selling,
    made: &[Made],
    ours: &[Compared],
) -> Result<(usize, usize), OperationError> {
    let (mut repaired, mut reported) = (0, 0);
    for payment in made {
        let attempt = ours.iter().find(|attempt| attempt.id == payment.attempt_id);
        match difference(payment, attempt) {
            None => {}
            Some(Difference::Report(what)) => {
                reported += 1;
                tracing::error!(
                    payment.id = payment.payment_id,
                    attempt.id = %payment.attempt_id,
                    what,
                    "the provider and we do not agree"
                );
            }
            Some(Difference::NotRecorded {
                order_id,
                attempt_id,
            }) => {
                tracing::warn!(order.id = %order_id, "a charge was not recorded; it is now");
                let outcome = state.payments.retrieve(&payment.payment_id).await?;
                record(state, order_id, attempt_id, &outcome.into(), Hears::ByMail).await?;
                repaired += 1;
            }
        }
    }
    Ok((repaired, reported))
}

/// Only what the provider charged and we have not written down is repaired by
/// writing it down. All else means that one of the two is wrong.
fn difference(payment: &Made, attempt: Option<&Compared>) -> Option<Difference> {
    let Some(attempt) = attempt else {
        let what = "charged for an attempt that does not exist";
        return payment.charged.then_some(Difference::Report(what));
    };
    if payment.charged && payment.amount_minor != attempt.amount_minor {
        return Some(Difference::Report("charged another amount"));
    }
    match (payment.charged, attempt.state == AttemptState::Captured) {
        (true, false) if !attempt.latest => Some(Difference::Report(
            "charged by an attempt that was given up",
        )),
        (true, false) => Some(Difference::NotRecorded {
            order_id: attempt.order_id,
            attempt_id: attempt.id,
        }),
        (false, true) => Some(Difference::Report("recorded as charged and is not")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    fn made(charged: bool, amount_minor: i64) -> Made {
        Made {
            payment_id: "pi_1".to_owned(),
            attempt_id: Uuid::nil(),
            charged,
            amount_minor,
        }
    }

    fn attempt(state: AttemptState, latest: bool) -> Compared {
        Compared {
            id: Uuid::nil(),
            order_id: Uuid::max(),
            state,
            amount_minor: 100,
            latest,
        }
    }

    #[test]
    fn only_an_unrecorded_charge_is_repaired() {
        use AttemptState::{Captured, Declined, Unknown};
        let reports = |found| matches!(found, Some(Difference::Report(_)));
        let of = |payment: &Made, ours: Option<Compared>| difference(payment, ours.as_ref());
        let not_recorded = Difference::NotRecorded {
            order_id: Uuid::max(),
            attempt_id: Uuid::nil(),
        };
        assert_eq!(of(&made(true, 100), Some(attempt(Captured, true))), None);
        assert_eq!(of(&made(false, 100), Some(attempt(Declined, true))), None);
        assert_eq!(of(&made(false, 100), None), None);
        assert_eq!(
            of(&made(true, 100), Some(attempt(Unknown, true))),
            Some(not_recorded)
        );
        assert!(reports(of(
            &made(true, 100),
            Some(attempt(Declined, false))
        )));
        assert!(reports(of(&made(true, 99), Some(attempt(Captured, true)))));
        assert!(reports(of(
            &made(false, 100),
            Some(attempt(Captured, true))
        )));
        assert!(reports(of(&made(true, 100), None)));
    }

    #[test]
    fn a_long_outage_is_caught_up_with_step_by_step() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(100);
        let (from, until) = stretch(now - Duration::minutes(10), now);
        assert_eq!(from, now - Duration::minutes(70));
        assert_eq!(until, now - Duration::minutes(2));
        let (_, until) = stretch(now - Duration::days(2), now);
        assert_eq!(until, now - Duration::days(2) + RECONCILE_STEP);
    }
}
