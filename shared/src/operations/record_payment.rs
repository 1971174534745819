//! Records what a payment came to: order, stock, money and mail change together.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{OperationError, refund_order};
use crate::clock;
use crate::domain::events::Event;
use crate::domain::ids;
use crate::domain::order::OrderStatus;
use crate::domain::payment::PaymentEventKind;
use crate::providers::payments::{Outcome, PaymentError};
use crate::resilience::policies::RESERVATION_TIMEOUT;
use crate::store::orders::Locked;
use crate::store::payments::{self, Attempt, AttemptState, Happened, Settled};
use crate::store::refunds::NewRefund;
use crate::store::{orders, outbox, reservations};

/// What is known of a payment now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Money has moved. The wallet has no payment id.
    Captured {
        /// The provider's payment.
        payment_id: Option<String>,
        /// The card's last digits.
        last4: Option<String>,
    },
    /// The customer must authenticate.
    AuthenticationRequired {
        /// The provider's payment.
        payment_id: String,
        /// What the customer's browser authenticates with.
        client_secret: String,
    },
    /// Refused; nothing was charged.
    Declined {
        /// The provider's payment, if one was made.
        payment_id: Option<String>,
    },
    /// It can charge no more, and has not.
    Cancelled,
    /// It may have been charged.
    Unknown {
        /// The provider's payment, if it was told.
        payment_id: Option<String>,
    },
    /// Proven not charged; to be tried later.
    NotCharged,
}

impl From<Outcome> for Finding {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Captured { payment_id, last4 } => Self::Captured {
                payment_id: Some(payment_id),
                last4,
            },
            Outcome::AuthenticationRequired {
                payment_id,
                client_secret,
            } => Self::AuthenticationRequired {
                payment_id,
                client_secret,
            },
            Outcome::Declined { payment_id } => Self::Declined { payment_id },
            Outcome::Cancelled { .. } => Self::Cancelled,
            Outcome::Processing { payment_id } => Self::Unknown {
                payment_id: Some(payment_id),
            },
        }
    }
}

impl From<Result<Outcome, PaymentError>> for Finding {
    fn from(answer: Result<Outcome, PaymentError>) -> Self {
        match answer {
            Ok(outcome) => outcome.into(),
            Err(PaymentError::Refused(refusal)) => Self::Declined {
                payment_id: refusal.payment_id,
            },
            Err(error) if error.proves_no_charge() => Self::NotCharged,
            Err(_) => Self::Unknown { payment_id: None },
        }
    }
}

/// How the customer hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hears {
    /// In the answer to the request at hand.
    InAnswer,
    /// By mail, because nobody waits for an answer.
    ByMail,
}

/// Records a finding about an order's latest attempt. Both are locked. What is
/// known already changes nothing.
///
/// # Errors
/// The database's.
pub async fn record_payment(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
    finding: &Finding,
    hears: Hears,
) -> Result<(), OperationError> {
    let ended = matches!(
        attempt.state,
        AttemptState::Declined | AttemptState::Cancelled
    );
    match finding {
        _ if attempt.state == AttemptState::Captured => Ok(()),
        Finding::Captured { .. } if ended => {
            captured(tx, order, attempt, finding).await?;
            pay_back_late_capture(tx, order).await
        }
        _ if ended => Ok(()),
        Finding::Captured { .. } => paid(tx, order, attempt, finding).await,
        Finding::AuthenticationRequired { .. } => held(tx, order, attempt, finding, hears).await,
        Finding::Declined { .. } => declined(tx, order, attempt, finding, hears).await,
        Finding::Cancelled => cancelled(tx, order, attempt, finding).await,
        Finding::Unknown { .. } => {
            settle(tx, order, attempt, finding).await?;
            orders::set_status(tx, order.id, OrderStatus::PaymentUnknown).await?;
            nudge(tx, order.id, hears).await
        }
        Finding::NotCharged => {
            settle(tx, order, attempt, finding).await?;
            nudge(tx, order.id, hears).await
        }
    }
}

impl Finding {
    /// Where it leaves the attempt, and what is written down of it.
    fn settled(&self) -> (Settled<'_>, Option<PaymentEventKind>) {
        use AttemptState as A;
        use PaymentEventKind as K;
        let (state, kind) = match self {
            Self::Captured { .. } => (A::Captured, Some(K::Captured)),
            Self::AuthenticationRequired { .. } => {
                (A::RequiresAction, Some(K::AuthenticationRequired))
            }
            Self::Declined { .. } => (A::Declined, Some(K::Declined)),
            Self::Cancelled => (A::Cancelled, Some(K::Cancelled)),
            Self::Unknown { .. } => (A::Unknown, Some(K::Unknown)),
            Self::NotCharged => (A::Pending, None),
        };
        let provider_payment_id = match self {
            Self::AuthenticationRequired { payment_id, .. } => Some(payment_id.as_str()),
            Self::Captured { payment_id, .. }
            | Self::Declined { payment_id }
            | Self::Unknown { payment_id } => payment_id.as_deref(),
            Self::Cancelled | Self::NotCharged => None,
        };
        let client_secret = match self {
            Self::AuthenticationRequired { client_secret, .. } => Some(client_secret.as_str()),
            _ => None,
        };
        (
            Settled {
                state,
                provider_payment_id,
                client_secret,
            },
            kind,
        )
    }
}

async fn paid(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
    finding: &Finding,
) -> Result<(), OperationError> {
    captured(tx, order, attempt, finding).await?;
    orders::set_status(tx, order.id, OrderStatus::Paid).await?;
    reservations::sell_held(tx, order.id).await?;
    Ok(outbox::add(tx, order.id, &Event::OrderPaid { order_id: order.id }).await?)
}

/// The stock is held until the customer has authenticated, but not for ever.
async fn held(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
    finding: &Finding,
    hears: Hears,
) -> Result<(), OperationError> {
    settle(tx, order, attempt, finding).await?;
    orders::set_status(tx, order.id, OrderStatus::PaymentPending).await?;
    let until = order
        .reserved_until
        .unwrap_or_else(|| clock::now() + RESERVATION_TIMEOUT);
    orders::set_reserved_until(tx, order.id, Some(until)).await?;
    if hears == Hears::ByMail && attempt.state != AttemptState::RequiresAction {
        let event = Event::OrderNeedsAuthentication { order_id: order.id };
        outbox::add(tx, order.id, &event).await?;
    }
    Ok(())
}

async fn declined(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
    finding: &Finding,
    hears: Hears,
) -> Result<(), OperationError> {
    settle(tx, order, attempt, finding).await?;
    end(tx, order, OrderStatus::PaymentFailed).await?;
    if hears == Hears::ByMail {
        let event = Event::OrderPaymentFailed { order_id: order.id };
        outbox::add(tx, order.id, &event).await?;
    }
    Ok(())
}

async fn cancelled(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
    finding: &Finding,
) -> Result<(), OperationError> {
    settle(tx, order, attempt, finding).await?;
    end(tx, order, OrderStatus::Cancelled).await?;
    Ok(outbox::add(tx, order.id, &Event::OrderCancelled { order_id: order.id }).await?)
}

async fn settle(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
    finding: &Finding,
) -> Result<(), OperationError> {
    let (settled, happened) = finding.settled();
    payments::settle(tx, attempt.id, &settled).await?;
    if let Some(kind) = happened {
        let happened = Happened {
            kind,
            amount_minor: attempt.amount_minor,
            reference: attempt.id,
        };
        payments::record_event(tx, order.id, &happened).await?;
    }
    Ok(())
}

async fn captured(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
    finding: &Finding,
) -> Result<(), OperationError> {
    settle(tx, order, attempt, finding).await?;
    let last4 = match finding {
        Finding::Captured { last4, .. } => last4.as_deref(),
        _ => None,
    };
    Ok(orders::set_captured(tx, order.id, last4).await?)
}

/// An order that ends without money: what it holds is given back.
pub(super) async fn end(
    tx: &mut PgConnection,
    order: &Locked,
    status: OrderStatus,
) -> Result<(), OperationError> {
    orders::set_status(tx, order.id, status).await?;
    orders::set_reserved_until(tx, order.id, None).await?;
    Ok(reservations::release(tx, order.id).await?)
}

/// Asks the worker to go on. Only the first time: after that the sweeper does,
/// so that a long outage makes no storm of messages.
async fn nudge(tx: &mut PgConnection, order_id: Uuid, hears: Hears) -> Result<(), OperationError> {
    if hears == Hears::InAnswer {
        outbox::add(tx, order_id, &Event::PaymentDue { order_id }).await?;
    }
    Ok(())
}

/// The provider charged an attempt that had ended here. Its stock is gone, so
/// the money goes back.
async fn pay_back_late_capture(
    tx: &mut PgConnection,
    order: &Locked,
) -> Result<(), OperationError> {
    tracing::error!(order.id = %order.id, "charged after its end; it is paid back");
    let refund = NewRefund {
        id: ids::derived("late-capture", order.id, ""),
        order_id: order.id,
        amount_minor: order.total_minor,
        reason: "charged after the order had ended",
        created_by: order.customer_id,
    };
    refund_order::request(tx, &refund).await
}
