//! What becomes of a message that was not processed.

use std::time::Duration;

use aws_lambda_events::event::sqs::SqsMessage;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clock;
use crate::domain::dead_letters::ErrorClass;
use crate::domain::events::UnknownEvent;
use crate::providers::queues::{Queues, Received, Rejection};
use crate::resilience::policies::{
    DEFECTIVE_RECEIVES_MAX, REDELIVERY_PAUSES, TRANSIENT_RECEIVES_MAX,
};
use crate::telemetry;

use super::dead_letters::replay_of;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The longest reason that is written beside a dead letter, in bytes.
const REASON_BYTES_MAX: usize = 1_000;

/// Why a message was not processed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// It is not an event that this release knows. It never will be: set aside at once.
    #[error("the message cannot be understood")]
    Unknown(#[from] UnknownEvent),
    /// It may work when it comes again. Left to the replayer after some hours.
    #[error("the message could not be processed now")]
    Again(#[source] Source),
    /// The fault is ours or in what is stored. Set aside after some tries.
    #[error("the message cannot be processed")]
    Defect(#[source] Source),
    /// The handler has a defect.
    #[error("the handler panicked")]
    Panicked,
    /// The handler was cut off. What it waited for may be there again, so this passes like
    /// [`Failure::Again`]; if it is a defect, it ends among the dead letters as that does.
    #[error("the handler did not end in time")]
    TimedOut,
}

impl Failure {
    /// Try again later because of `source`.
    pub fn again(source: impl Into<Source>) -> Self {
        Self::Again(source.into())
    }

    /// Do not try for ever because of `source`.
    pub fn defect(source: impl Into<Source>) -> Self {
        Self::Defect(source.into())
    }

    /// What it is called beside a dead letter.
    const fn class(&self) -> ErrorClass {
        match self {
            Self::Unknown(_) => ErrorClass::UnknownEvent,
            Self::Again(_) | Self::TimedOut => ErrorClass::Transient,
            Self::Defect(_) => ErrorClass::Defect,
            Self::Panicked => ErrorClass::Panic,
        }
    }

    /// How often a message is taken that fails like this, before it is given up.
    const fn receives_max(&self) -> u32 {
        match self {
            Self::Unknown(_) => 1,
            Self::Again(_) | Self::TimedOut => TRANSIENT_RECEIVES_MAX,
            Self::Defect(_) | Self::Panicked => DEFECTIVE_RECEIVES_MAX,
        }
    }
}

/// Sends a message that is given up to its dead letters with the reason, and says when
/// any other is to be seen again. Whether the queue may forget it.
///
/// A replayed one is given up at once, whatever the failure: the replayer has pauses of its own,
/// and nobody else tries again.
///
/// Neither is certain: a message that could not be moved or postponed comes back
/// when its visibility ends.
pub(super) async fn dispose(queues: &Queues, message: &SqsMessage, failure: &Failure) -> bool {
    let (receives, received) = (receives(message), received(message));
    let replay_of = replay_of(message);
    if receives >= failure.receives_max() || replay_of.is_some() {
        let rejection = Rejection {
            class: failure.class(),
            error: reason(failure),
            attempts: receives,
            replay_of,
            first_failed_at: first_failed_at(message),
            failed_at: clock::now().format(&Rfc3339).unwrap_or_default(),
        };
        match queues.reject(received, &rejection).await {
            Ok(()) => return true,
            Err(error) => tracing::warn!(error = %error, "the message cannot be set aside"),
        }
    }
    if let Err(error) = queues.postpone(received, pause(receives)).await {
        tracing::warn!(error = %error, "the message comes back when its visibility ends");
    }
    false
}

/// Lets a message that was not begun be seen again at once. However often that happens, it is no
/// failure, and no reason to give the message up.
pub(super) async fn give_back(queues: &Queues, message: &SqsMessage) {
    if let Err(error) = queues.postpone(received(message), Duration::ZERO).await {
        tracing::warn!(error = %error, "the message comes back when its visibility ends");
    }
}

fn received(message: &SqsMessage) -> Received<'_> {
    Received {
        queue_arn: message.event_source_arn.as_deref().unwrap_or_default(),
        receipt_handle: message.receipt_handle.as_deref().unwrap_or_default(),
        body: message.body.as_deref().unwrap_or_default(),
    }
}

/// How often the message was taken, this time included.
fn receives(message: &SqsMessage) -> u32 {
    let count = message.attributes.get("ApproximateReceiveCount");
    count.and_then(|count| count.parse().ok()).unwrap_or(1)
}

/// How long a message waits that failed for the `receives`th time.
fn pause(receives: u32) -> Duration {
    let index = usize::try_from(receives.saturating_sub(1)).unwrap_or(usize::MAX);
    let last = REDELIVERY_PAUSES[REDELIVERY_PAUSES.len() - 1];
    REDELIVERY_PAUSES.get(index).copied().unwrap_or(last)
}

/// The failure and its causes, cut at a length that an attribute can hold, and without
/// characters that it cannot: a cause may quote what the message says.
fn reason(failure: &Failure) -> String {
    let carried = |c: char| !(c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}'));
    let chain = telemetry::chain(failure);
    let mut reason: String = chain
        .chars()
        .map(|c| if carried(c) { c } else { ' ' })
        .collect();
    while reason.len() > REASON_BYTES_MAX {
        reason.pop();
    }
    reason
}

/// When the queue first gave the message out.
fn first_failed_at(message: &SqsMessage) -> String {
    let first = message.attributes.get("ApproximateFirstReceiveTimestamp");
    let seconds = first
        .and_then(|ms| ms.parse::<i64>().ok())
        .map(|ms| ms / 1_000);
    let at = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    at.unwrap_or_else(clock::now)
        .format(&Rfc3339)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_then_stay() {
        let seconds = [1, 2, 3, 4, 5, 6, 100].map(|receives| pause(receives).as_secs());
        assert_eq!(seconds, [5, 15, 60, 300, 900, 900, 900]);
    }

    #[test]
    fn what_passes_by_itself_is_tried_longest() {
        let unknown = Failure::Unknown(UnknownEvent::Newer(2));
        let oversized = Failure::Unknown(UnknownEvent::Oversized(1 << 20));
        let (defect, again) = (Failure::defect("broken"), Failure::again("away"));
        let failures = [unknown, oversized, defect, again, Failure::TimedOut];
        let receives = failures.map(|failure| failure.receives_max());
        assert_eq!(receives, [1, 1, 5, 20, 20]);
    }

    #[test]
    fn reason_is_what_a_queue_can_carry() {
        let long = "a\0b\u{ffff}\n".to_owned() + &"é".repeat(1_000);
        let reason = reason(&Failure::defect(long));
        assert!(
            reason.starts_with("the message cannot be processed: a b  é"),
            "{reason}"
        );
        assert!(reason.len() <= REASON_BYTES_MAX);
    }

    #[test]
    fn count_and_time_are_read_from_the_message() {
        let mut message = SqsMessage::default();
        assert_eq!(receives(&message), 1);
        for (name, value) in [
            ("ApproximateReceiveCount", "7"),
            ("ApproximateFirstReceiveTimestamp", "1793534400001"),
        ] {
            message.attributes.insert(name.into(), value.into());
        }
        assert_eq!(receives(&message), 7);
        assert_eq!(first_failed_at(&message), "2026-11-01T12:00:00Z");
    }
}
