//! How full the queues are, and how old what waits in them is.

use futures::future::join_all;
use shared::clock;
use shared::domain::events::Queue;
use shared::http::ApiError;
use shared::providers::queues::Depth;
use shared::store::backlog::{self, Backlog};
use shared::telemetry;
use time::Duration;

use super::overview::in_patience;
use super::words;
use crate::AppState;

/// A consumer is expected to be done with an event by then, when nothing is wrong.
const USUAL: Duration = Duration::minutes(5);

/// What a page says where a number cannot be had.
const UNKNOWN: &str = "not known";

/// A queue, or the dead letters of one, as it stands on a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) waiting: String,
    pub(super) in_flight: String,
    pub(super) delayed: String,
    /// What the journal says: of the queue itself, never of its dead letters.
    pub(super) journal: Option<Journal>,
    /// How a page shows it.
    pub(super) tone: &'static str,
    /// The same in a word.
    pub(super) state: &'static str,
}

/// The events that a queue's consumer has not handled.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Journal {
    pub(super) events: String,
    pub(super) unpublished: String,
    /// How long ago the first of them happened.
    pub(super) oldest: String,
}

/// Looks at every queue and its dead letters, and into the journal, at the same moment.
pub(super) async fn look(state: &AppState) -> Vec<Row> {
    let depths = join_all(Queue::ALL.map(|queue| async move {
        futures::join!(
            known(state.queues.depth(queue)),
            known(state.queues.dead_letters_depth(queue))
        )
    }));
    let backlogs = in_patience("journal", async {
        let read = state
            .database
            .read_own(|pool| async move { backlog::by_queue(&pool).await });
        Ok::<_, ApiError>(read.await?)
    });
    let (depths, backlogs) = futures::join!(depths, backlogs);
    let rows = Queue::ALL.into_iter().zip(depths);
    rows.flat_map(|(queue, (own, dead))| {
        let journal = Journal::of(queue, backlogs.as_deref());
        [own_row(queue, own, journal), dead_row(queue, dead)]
    })
    .collect()
}

async fn known<E: std::error::Error + 'static>(
    depth: impl Future<Output = Result<Depth, E>>,
) -> Option<Depth> {
    let depth = depth.await.inspect_err(|error| {
        tracing::warn!(error = telemetry::chain(error), "a queue was not looked at");
    });
    depth.ok()
}

impl Journal {
    /// What is known of `queue`: with no row it has no backlog, without rows nobody knows.
    fn of(queue: Queue, backlogs: Option<&[Backlog]>) -> (Self, Option<Duration>) {
        let unknown = || UNKNOWN.to_owned();
        let Some(backlogs) = backlogs else {
            let (events, unpublished, oldest) = (unknown(), unknown(), unknown());
            let journal = Self {
                events,
                unpublished,
                oldest,
            };
            return (journal, None);
        };
        let found = backlogs.iter().find(|row| row.queue == queue.name());
        let age = found.map(|row| (clock::now() - row.oldest_at).max(Duration::ZERO));
        let journal = Self {
            events: found.map_or(0, |row| row.events).to_string(),
            unpublished: found.map_or(0, |row| row.unpublished).to_string(),
            oldest: age.map_or_else(|| "–".to_owned(), words::span),
        };
        (journal, age)
    }
}

fn own_row(queue: Queue, depth: Option<Depth>, (journal, age): (Journal, Option<Duration>)) -> Row {
    let (state, tone) = match (depth, age) {
        (_, Some(age)) if age > USUAL => ("late", "warn"),
        (None, _) => ("not known", "warn"),
        _ if journal.events == UNKNOWN => ("not known", "warn"),
        _ => ("in time", "good"),
    };
    row(queue.name().to_owned(), depth, (state, tone), Some(journal))
}

/// Dead letters are taken out of their queue each minute. What stays in it was not kept.
fn dead_row(queue: Queue, depth: Option<Depth>) -> Row {
    let state = match depth {
        None => ("not known", "warn"),
        Some(depth) if depth.waiting + depth.in_flight + depth.delayed > 0 => {
            ("to be kept", "warn")
        }
        Some(_) => ("empty", "good"),
    };
    row(format!("{}-dlq", queue.name()), depth, state, None)
}

fn row(
    name: String,
    depth: Option<Depth>,
    (state, tone): (&'static str, &'static str),
    journal: Option<Journal>,
) -> Row {
    let number = |of: fn(Depth) -> u64| {
        let number = depth.map(of);
        number.map_or_else(|| UNKNOWN.to_owned(), |number| number.to_string())
    };
    Row {
        name,
        waiting: number(|depth| depth.waiting),
        in_flight: number(|depth| depth.in_flight),
        delayed: number(|depth| depth.delayed),
        journal,
        tone,
        state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: Depth = Depth {
        waiting: 0,
        in_flight: 0,
        delayed: 0,
    };

    fn backlog(age: Duration) -> Backlog {
        Backlog {
            queue: "orders".to_owned(),
            events: 3,
            unpublished: 1,
            oldest_at: clock::now() - age,
        }
    }

    #[test]
    fn queue_is_late_by_the_age_of_what_waits_and_not_by_its_depth() {
        let full = Some(Depth {
            waiting: 10_000,
            ..EMPTY
        });
        let of = |age| Journal::of(Queue::Orders, Some(&[backlog(age)]));
        let young = own_row(Queue::Orders, full, of(Duration::seconds(30)));
        assert_eq!((young.state, young.waiting.as_str()), ("in time", "10000"));
        let old = own_row(Queue::Orders, Some(EMPTY), of(Duration::hours(3)));
        assert_eq!((old.state, old.tone), ("late", "warn"));
        let journal = old.journal.unwrap();
        assert_eq!(
            [journal.events, journal.unpublished, journal.oldest],
            ["3", "1", "3 h"]
        );
    }

    #[test]
    fn queue_without_a_backlog_has_handled_all() {
        let (journal, age) = Journal::of(Queue::Mail, Some(&[backlog(Duration::hours(3))]));
        assert_eq!((journal.events.as_str(), age), ("0", None));
        assert_eq!(journal.oldest, "–");
    }

    #[test]
    fn what_cannot_be_had_is_never_shown_as_none() {
        let row = own_row(Queue::Orders, None, Journal::of(Queue::Orders, None));
        let journal = row.journal.unwrap();
        assert_eq!(row.state, "not known");
        for cell in [row.waiting, row.delayed, journal.events, journal.oldest] {
            assert_eq!(cell, UNKNOWN);
        }
        assert_eq!(dead_row(Queue::Orders, None).state, "not known");
    }

    #[test]
    fn dead_letters_that_stay_are_told() {
        let one = Some(Depth {
            in_flight: 1,
            ..EMPTY
        });
        assert_eq!(dead_row(Queue::Mail, one).state, "to be kept");
        let empty = dead_row(Queue::Mail, Some(EMPTY));
        assert_eq!((empty.name.as_str(), empty.state), ("mail-dlq", "empty"));
    }
}
