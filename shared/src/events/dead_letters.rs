//! Dead letters as their queue gives them, the messages by which they are replayed, and the
//! function that looks after both.

use std::time::{Duration, Instant};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::allowance::{Allowance, invocation, scheduled};
use super::batch::{Said, failed_item, id_of, log, log_failure};
use super::failure::Failure;
use crate::clock;
use crate::context;
use crate::domain::dead_letters::ErrorClass;
use crate::providers::queues::attributes;
use crate::resilience::SharedState;
use crate::state::{AppState, Base};
use crate::store::{StoreError, dead_letters};

/// What is said of a message that SQS itself has moved.
const NO_ANSWER: &str = "its consumer ended without an answer each time it was given the message";

/// A message that was given up, and what its consumer said of it.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The queue's own id of it, which is another one each time it dies.
    pub message_id: String,
    /// The queue of dead letters.
    pub queue_arn: String,
    /// What was sent.
    pub body: String,
    /// What kind of failure it was.
    pub error_class: ErrorClass,
    /// The failure and its causes.
    pub error: String,
    /// How often its consumer was given it, as far as is known.
    pub attempts: i32,
    /// Which dead letter it was sent again for, if it was.
    pub replay_of: Option<Uuid>,
    /// When it failed first.
    pub first_failed_at: OffsetDateTime,
    /// When it was given up.
    pub failed_at: OffsetDateTime,
}

/// More are not believed: no queue gives a message out so often.
const ATTEMPTS_MAX: i32 = 1_000;

impl DeadLetter {
    /// Reads what stands beside the message. Nothing of it is taken for granted: SQS moves
    /// messages by itself as well, and anybody who may send can write anything.
    fn of(message: &SqsMessage) -> Self {
        let class = attribute(message, attributes::ERROR_CLASS).and_then(ErrorClass::from_name);
        let error = attribute(message, attributes::ERROR).unwrap_or(NO_ANSWER);
        let at = |name| OffsetDateTime::parse(attribute(message, name)?, &Rfc3339).ok();
        let attempts = attribute(message, attributes::ATTEMPTS);
        let attempts = attempts.and_then(|attempts| attempts.parse::<i32>().ok());
        let failed_at = at(attributes::FAILED_AT).unwrap_or_else(clock::now);
        Self {
            message_id: id_of(message),
            queue_arn: message.event_source_arn.clone().unwrap_or_default(),
            body: message.body.clone().unwrap_or_default(),
            error_class: class.unwrap_or(ErrorClass::NoAnswer),
            error: error.to_owned(),
            attempts: attempts.unwrap_or(1).clamp(1, ATTEMPTS_MAX),
            replay_of: replay_of(message),
            first_failed_at: at(attributes::FIRST_FAILED_AT).unwrap_or(failed_at),
            failed_at,
        }
    }
}

fn attribute<'a>(message: &'a SqsMessage, name: &str) -> Option<&'a str> {
    message
        .message_attributes
        .get(name)?
        .string_value
        .as_deref()
}

/// Which dead letter was sent again with this message.
pub(super) fn replay_of(message: &SqsMessage) -> Option<Uuid> {
    attribute(message, attributes::REPLAY_OF)?.parse().ok()
}

/// Notes that a dead letter that was sent again has been processed; nothing for any other
/// message. Until it is noted the message counts as failed, and its effect as had before.
pub(super) async fn confirm(base: &Base, message: &SqsMessage) -> Result<(), Failure> {
    let Some(id) = replay_of(message) else {
        return Ok(());
    };
    note(base, id).await.map_err(Failure::again)
}

async fn note(base: &Base, id: Uuid) -> Result<(), StoreError> {
    base.database
        .write(async |tx| dead_letters::succeed(tx, id).await)
        .await
}

/// Runs `keep` for every dead letter, one after the other, and reports exactly those that are
/// not kept: they stay in their queue, as do those that are left no time for.
pub async fn keep_batch<F>(batch: SqsEvent, keep: impl Fn(DeadLetter) -> F) -> SqsBatchResponse
where
    F: Future<Output = Result<(), Failure>>,
{
    let mut response = SqsBatchResponse::default();
    let time = Allowance::of_batch();
    for (begun, message) in batch.records.iter().enumerate() {
        let (outcome, duration) = if time.admits(begun) {
            keep_one(message, time, &keep).await
        } else {
            ("unprocessed", Duration::ZERO)
        };
        if outcome != "done" {
            let failed = failed_item(id_of(message));
            response.batch_item_failures.push(failed);
        }
        // It may be anything, so it is not read for this.
        log(message, &Said::default(), outcome, duration);
    }
    response
}

/// What became of a dead letter, and how long that took.
async fn keep_one<F>(
    message: &SqsMessage,
    time: Allowance,
    keep: &impl Fn(DeadLetter) -> F,
) -> (&'static str, Duration)
where
    F: Future<Output = Result<(), Failure>>,
{
    let started = Instant::now();
    let letter = DeadLetter::of(message);
    let work = async { keep(letter).await };
    let kept = time.grant(&id_of(message), work).await;
    let outcome = match kept.unwrap_or_else(Err) {
        Ok(()) => "done",
        Err(failure) => {
            log_failure(message, &failure);
            "again"
        }
    };
    (outcome, started.elapsed())
}

/// Serves the function that keeps dead letters and, by its schedule, replays them, until the
/// environment is shut down.
///
/// # Errors
/// The runtime's own.
pub async fn serve_dead_letters<P, K, Keeping, R, Running>(
    state: AppState<P>,
    keep: K,
    run: R,
) -> Result<(), Error>
where
    P: AsRef<Base>,
    K: Fn(AppState<P>, DeadLetter) -> Keeping,
    Keeping: Future<Output = Result<(), Failure>>,
    R: Fn(AppState<P>) -> Running,
    Running: Future<Output = Result<Value, Error>>,
{
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let (state, keep, run) = (&state, &keep, &run);
        async move {
            let base = state.as_ref();
            base.breakers.refresh().await;
            if event.payload.get("Records").is_some() {
                let (batch, context) = event.into_parts();
                let batch: SqsEvent = serde_json::from_value(batch)?;
                let work = keep_batch(batch, |letter| keep(state.clone(), letter));
                let response = context::scope(invocation(context), work).await;
                return Ok::<_, Error>(serde_json::to_value(response)?);
            }
            context::scope(scheduled(event.context), run(state.clone())).await
        }
    }))
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(attributes: Value) -> SqsMessage {
        serde_json::from_value(json!({
            "messageId": "1", "body": "poison", "eventSourceARN": "arn:mail-dlq",
            "messageAttributes": attributes,
        }))
        .unwrap()
    }

    fn text(value: &str) -> Value {
        json!({"stringValue": value, "dataType": "String"})
    }

    #[test]
    fn reason_is_read_from_beside_the_message() {
        let letter = DeadLetter::of(&message(json!({
            "error_class": text("defect"), "error": text("it broke"), "attempts": text("5"),
            "first_failed_at": text("2026-11-01T12:00:00Z"), "failed_at": text("2026-11-01T12:06:20Z"),
        })));
        assert_eq!(letter.error_class, ErrorClass::Defect);
        assert_eq!((letter.error.as_str(), letter.attempts), ("it broke", 5));
        let took = letter.failed_at - letter.first_failed_at;
        assert_eq!(took.whole_seconds(), 380);
    }

    #[test]
    fn message_that_nobody_gave_a_reason_for_has_one_all_the_same() {
        for attributes in [
            json!({}),
            json!({"attempts": text("many"), "error_class": text("odd")}),
        ] {
            let letter = DeadLetter::of(&message(attributes));
            assert_eq!(letter.error_class, ErrorClass::NoAnswer);
            assert_eq!((letter.error.as_str(), letter.attempts), (NO_ANSWER, 1));
            assert_eq!(letter.first_failed_at, letter.failed_at);
        }
    }

    #[test]
    fn replayed_message_is_told_from_others() {
        let id = Uuid::from_u128(7);
        let replayed = message(json!({"replay_of": text(&id.to_string())}));
        assert_eq!(replay_of(&replayed), Some(id));
        assert_eq!(replay_of(&message(json!({}))), None);
        assert_eq!(replay_of(&message(json!({"replay_of": text("x")}))), None);
    }

    #[tokio::test]
    async fn what_is_not_kept_stays_and_a_panic_keeps_no_other_away() {
        let mut batch = SqsEvent::default();
        for id in ["1", "2", "3"] {
            let mut record = message(json!({}));
            record.message_id = Some(id.to_owned());
            batch.records.push(record);
        }
        let keep = |letter: DeadLetter| async move {
            match letter.message_id.as_str() {
                "1" => panic!("a defect"),
                "2" => Err(Failure::again("the database is away")),
                _ => Ok(()),
            }
        };
        let response = keep_batch(batch, keep).await;
        let failed = response.batch_item_failures.into_iter();
        let failed: Vec<String> = failed.map(|failure| failure.item_identifier).collect();
        assert_eq!(failed, ["1", "2"]);
    }
}
