//! Moves dead letters from their queues into the database, and decides which are replayed by
//! themselves.

use shared::domain::dead_letters::{DeadLetterStatus, ErrorClass, Origin, excerpt, masked};
use shared::domain::ids;
use shared::events::{DeadLetter, Failure};
use shared::resilience::full_jitter;
use shared::resilience::policies::{REPLAY_BACKOFF, REPLAY_BACKOFF_MAX, REPLAYS_MAX};
use shared::store::dead_letters::{self, Death, Fate, Known};
use shared::store::{PgConnection, StoreError};
use shared::telemetry;

use crate::AppState;

/// The longest reason that is kept, in characters.
const ERROR_CHARS_MAX: usize = 1_000;

/// Keeps a dead letter. The same one again, however often, is the same row.
///
/// # Errors
/// It is not safely stored, and stays in its queue.
pub async fn keep(state: AppState, letter: DeadLetter) -> Result<(), Failure> {
    let queue = state.queues.of_dead_letters(&letter.queue_arn);
    let queue =
        queue.ok_or_else(|| Failure::defect("it is of no queue that the function knows"))?;
    let (origin, excerpt) = (Origin::of(&letter.body), excerpt(&letter.body));
    let death = Death {
        id: ids::dead_letter_id(queue, &letter.body),
        queue: queue.name(),
        origin: &origin,
        body: &letter.body,
        excerpt: &excerpt,
        error_class: letter.error_class,
        error: masked(&letter.error, ERROR_CHARS_MAX),
        attempts: letter.attempts,
        replay_of: letter.replay_of,
        first_failed_at: letter.first_failed_at,
        failed_at: letter.failed_at,
        message_id: &letter.message_id,
    };
    store(&state, death).await.map_err(Failure::again)
}

async fn store(state: &AppState, mut death: Death<'_>) -> Result<(), StoreError> {
    let stored = state
        .database
        .transact(async |tx| record(tx, &mut death).await);
    let Some(fate) = stored.await? else {
        return Ok(());
    };
    tracing::warn!(
        dead_letter.id = %death.id,
        queue = death.queue,
        error_class = death.error_class.name(),
        error = death.error,
        parked = fate == Fate::Park,
        "a dead letter was kept"
    );
    telemetry::count(("queue", death.queue), &[("DeadLetters", 1.0)]);
    Ok(())
}

/// What becomes of it; nothing when this death is known, or of no interest any more.
async fn record(tx: &mut PgConnection, death: &mut Death<'_>) -> Result<Option<Fate>, StoreError> {
    if dead_letters::says_otherwise(tx, death).await? {
        death.error = format!("another body of this event is kept: {}", death.error);
        death.error_class = ErrorClass::EventIdReused;
    }
    let fate = fate(death.error_class, 0);
    if dead_letters::keep(tx, death, fate).await? {
        return Ok(Some(fate));
    }
    let known = dead_letters::lock(tx, death.id).await?;
    if is_over(&known, death) {
        return Ok(None);
    }
    let fate = self::fate(death.error_class, known.replays);
    dead_letters::keep_again(tx, death, fate).await?;
    Ok(Some(fate))
}

/// Whether a death changes nothing: it was counted, however late its message comes once more; what
/// was sent has been dealt with since; or it is the one that is known, of a copy that the journal
/// sent. Of one that is open only a replay can die anew.
fn is_over(known: &Known, death: &Death<'_>) -> bool {
    let is_new = match known.status {
        DeadLetterStatus::Waiting | DeadLetterStatus::Replaying | DeadLetterStatus::Parked => {
            death.replay_of == Some(death.id)
        }
        DeadLetterStatus::Replayed => known.resolved_at.is_none_or(|at| death.failed_at >= at),
        DeadLetterStatus::Discarded => false,
    };
    !is_new || known.last_message_id == death.message_id || death.failed_at < known.last_failed_at
}

/// What passes is replayed later, after ever longer pauses. Everything else would fail again.
fn fate(class: ErrorClass, replays: i32) -> Fate {
    if class != ErrorClass::Transient || replays >= REPLAYS_MAX {
        return Fate::Park;
    }
    let replays = u32::try_from(replays).unwrap_or_default();
    Fate::Wait(full_jitter(REPLAY_BACKOFF..=REPLAY_BACKOFF_MAX, replays))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_what_passes_is_replayed_and_not_for_ever() {
        for class in [
            ErrorClass::UnknownEvent,
            ErrorClass::Defect,
            ErrorClass::Panic,
            ErrorClass::NoAnswer,
            ErrorClass::EventIdReused,
        ] {
            assert_eq!(fate(class, 0), Fate::Park, "{class:?}");
        }
        assert_eq!(fate(ErrorClass::Transient, REPLAYS_MAX), Fate::Park);
        assert_ne!(fate(ErrorClass::Transient, REPLAYS_MAX - 1), Fate::Park);
    }

    #[test]
    fn pauses_grow_from_minutes_to_a_day_and_are_never_the_same() {
        let longest = |replays| {
            let pauses = (0..200).map(|_| match fate(ErrorClass::Transient, replays) {
                Fate::Wait(pause) => pause,
                Fate::Park => panic!("it is parked"),
            });
            pauses.max().unwrap_or_default()
        };
        // Of two hundred, one is nearly sure to be in the upper half.
        let within = |replays, ceiling: Duration| {
            let longest = longest(replays);
            assert!(
                longest <= ceiling && longest > ceiling / 2,
                "{longest:?} of {ceiling:?}"
            );
        };
        within(0, REPLAY_BACKOFF);
        within(3, REPLAY_BACKOFF * 8);
        within(REPLAYS_MAX - 1, REPLAY_BACKOFF_MAX);
    }
}
