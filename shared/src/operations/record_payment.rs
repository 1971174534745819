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
    use AttemptState as A;
    match (finding, attempt.state) {
        (_, A::Captured) => Ok(()),
        (Finding::Captured { payment_id, last4 }, A::Declined | A::Cancelled) => {
            captured(
                tx,
                order,
                attempt,
                (payment_id.as_deref(), last4.as_deref()),
            )
            .await?;
            pay_back_late_capture(tx, order).await
        }
        (_, A::Declined | A::Cancelled) => Ok(()),
        (Finding::Captured { payment_id, last4 }, _) => {
            captured(
                tx,
                order,
                attempt,
                (payment_id.as_deref(), last4.as_deref()),
            )
            .await?;
            orders::set_status(tx, order.id, OrderStatus::Paid).await?;
            reservations::sell_held(tx, order.id).await?;
            Ok(outbox::add(tx, order.id, &Event::OrderPaid { order_id: order.id }).await?)
        }
        (
            Finding::AuthenticationRequired {
                payment_id,
                client_secret,
            },
            _,
        ) => {
            let settled = Settled {
                state: A::RequiresAction,
                provider_payment_id: Some(payment_id),
                client_secret: Some(client_secret),
            };
            settle(
                tx,
                order,
                attempt,
                settled,
                Some(PaymentEventKind::AuthenticationRequired),
            )
            .await?;
            orders::set_status(tx, order.id, OrderStatus::PaymentPending).await?;
            let until = order
                .reserved_until
                .unwrap_or_else(|| clock::now() + RESERVATION_TIMEOUT);
            Ok(orders::set_reserved_until(tx, order.id, Some(until)).await?)
        }
        (Finding::Declined { payment_id }, _) => {
            let settled = Settled {
                state: A::Declined,
                provider_payment_id: payment_id.as_deref(),
                client_secret: None,
            };
            settle(
                tx,
                order,
                attempt,
                settled,
                Some(PaymentEventKind::Declined),
            )
            .await?;
            end(tx, order, OrderStatus::PaymentFailed).await?;
            if hears == Hears::ByMail {
                outbox::add(
                    tx,
                    order.id,
                    &Event::OrderPaymentFailed { order_id: order.id },
                )
                .await?;
            }
            Ok(())
        }
        (Finding::Cancelled, _) => {
            let settled = Settled {
                state: A::Cancelled,
                provider_payment_id: None,
                client_secret: None,
            };
            settle(
                tx,
                order,
                attempt,
                settled,
                Some(PaymentEventKind::Cancelled),
            )
            .await?;
            end(tx, order, OrderStatus::Cancelled).await?;
            Ok(outbox::add(tx, order.id, &Event::OrderCancelled { order_id: order.id }).await?)
        }
        (Finding::Unknown { payment_id }, _) => {
            let settled = Settled {
                state: A::Unknown,
                provider_payment_id: payment_id.as_deref(),
                client_secret: None,
            };
            settle(tx, order, attempt, settled, Some(PaymentEventKind::Unknown)).await?;
            orders::set_status(tx, order.id, OrderStatus::PaymentUnknown).await?;
            nudge(tx, order.id, hears).await
        }
        (Finding::NotCharged, _) => {
            let settled = Settled {
                state: A::Pending,
                provider_payment_id: None,
                client_secret: None,
            };
            settle(tx, order, attempt, settled, None).await?;
            nudge(tx, order.id, hears).await
        }
    }
}

async fn settle(
    tx: &mut PgConnection,
    order: &Locked,
    attempt: &Attempt,
    settled: Settled<'_>,
    happened: Option<PaymentEventKind>,
) -> Result<(), OperationError> {
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
    (payment_id, last4): (Option<&str>, Option<&str>),
) -> Result<(), OperationError> {
    let settled = Settled {
        state: AttemptState::Captured,
        provider_payment_id: payment_id,
        client_secret: None,
    };
    settle(
        tx,
        order,
        attempt,
        settled,
        Some(PaymentEventKind::Captured),
    )
    .await?;
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
