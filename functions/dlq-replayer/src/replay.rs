//! Sends dead letters again: paced, in the order of their aggregate's events, and resumed by the
//! next run wherever this one is cut off, because all that is known of it is in the database.

use std::time::{Duration, Instant};

use shared::context;
use shared::domain::dead_letters::ErrorClass;
use shared::domain::events::Queue;
use shared::resilience::Class;
use shared::resilience::policies::{
    REPLAY_ANSWER_TIMEOUT, REPLAY_IDLE, REPLAY_PACE, REPLAY_PACE_MAX, REPLAY_RESERVE, REPLAY_SHARE,
    REPLAYS_MAX,
};
use shared::store::dead_letters::{self, Due};
use shared::store::{StoreError, database};
use shared::telemetry;
use uuid::Uuid;

use crate::AppState;

/// How many are looked for at once.
const PER_LOOK: i64 = 50;

/// Looks in a row that find nothing, after which a run ends.
const IDLE_LOOKS_MAX: u32 = 3;

/// Why not everything was sent that was due.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queues were away, and what was not sent is left for the next run.
    #[error("the queues are away; {sent} dead letters were sent, the others wait")]
    QueuesAway {
        /// How many were sent before.
        sent: usize,
    },
}

/// Sends what is due, one after the other, until nothing is or the time of the run is up; how
/// many it sent.
///
/// # Errors
/// The database or the queues are away.
pub async fn replay(state: &AppState) -> Result<usize, ReplayError> {
    let (mut sent, mut idle) = (0, 0);
    while has_time() && idle < IDLE_LOOKS_MAX {
        let due = look(state).await?;
        if due.is_empty() {
            if sent == 0 {
                break;
            }
            // Its consumer may be about to answer, and what comes after it waits for that.
            idle += 1;
            tokio::time::sleep(REPLAY_IDLE).await;
            continue;
        }
        idle = 0;
        for id in due {
            if !has_time() {
                break;
            }
            let began = Instant::now();
            match send_again(state, id).await? {
                Outcome::Sent => sent += 1,
                Outcome::NotDue | Outcome::GivenUp(..) => {}
                Outcome::QueueAway => return Err(ReplayError::QueuesAway { sent }),
            }
            tokio::time::sleep(pause_after(began.elapsed())).await;
        }
    }
    Ok(sent)
}

/// What takes long shows that others are busy, and is followed by a longer pause.
fn pause_after(sending: Duration) -> Duration {
    let rest = sending * (REPLAY_SHARE - 1);
    rest.clamp(REPLAY_PACE, REPLAY_PACE_MAX)
}

fn has_time() -> bool {
    context::deadline().remaining() > REPLAY_RESERVE
}

async fn look(state: &AppState) -> Result<Vec<Uuid>, StoreError> {
    state
        .database
        .write(async |tx| dead_letters::due(tx, PER_LOOK).await)
        .await
}

/// What became of one that was due.
enum Outcome {
    Sent,
    NotDue,
    /// It is parked, for this reason.
    GivenUp(ErrorClass, String),
    QueueAway,
}

/// Sends one again, and notes it in the transaction that claims it. Killed between the two, the
/// next run sends it once more, which has no second effect.
async fn send_again(state: &AppState, id: Uuid) -> Result<Outcome, StoreError> {
    let mut tx = state.database.begin().await?;
    let Some(due) = database::statement(dead_letters::claim(&mut tx, id)).await? else {
        return Ok(Outcome::NotDue);
    };
    let outcome = send(state, id, &due).await;
    match &outcome {
        Outcome::Sent => {
            let noted = dead_letters::await_answer(&mut tx, id, REPLAY_ANSWER_TIMEOUT);
            database::statement(noted).await?;
        }
        Outcome::GivenUp(class, error) => {
            let park = dead_letters::park(&mut tx, id, (*class, error.as_str()));
            database::statement(park).await?;
        }
        Outcome::NotDue | Outcome::QueueAway => {}
    }
    database::commit(tx).await?;
    Ok(outcome)
}

async fn send(state: &AppState, id: Uuid, due: &Due) -> Outcome {
    if due.replays >= REPLAYS_MAX {
        let error = "no replay was ever answered".to_owned();
        return Outcome::GivenUp(ErrorClass::NoAnswer, error);
    }
    let Some(queue) = Queue::from_name(&due.queue) else {
        let error = format!("there is no queue {} in this release", due.queue);
        return Outcome::GivenUp(ErrorClass::Refused, error);
    };
    let body = String::from_utf8_lossy(&due.body);
    match state.queues.replay(queue, id, &body).await {
        Ok(()) => Outcome::Sent,
        Err(error) if error.class() == Class::Transient => {
            tracing::warn!(error = telemetry::chain(&error), "the queues are away");
            Outcome::QueueAway
        }
        Err(error) => {
            let error = telemetry::chain(&error);
            tracing::warn!(dead_letter.id = %id, error, "a dead letter is refused");
            Outcome::GivenUp(ErrorClass::Refused, error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_grows_with_what_a_sending_takes() {
        let pauses = [0, 10, 40, 60_000].map(|ms| pause_after(Duration::from_millis(ms)));
        let expected = [
            REPLAY_PACE,
            REPLAY_PACE,
            Duration::from_millis(160),
            REPLAY_PACE_MAX,
        ];
        assert_eq!(pauses, expected);
    }
}
