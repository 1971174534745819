//! Dead letters: how many are where, and a page of those that were asked for.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use shared::domain::dead_letters::{DeadLetterStatus, ErrorClass};
use shared::http::{ApiError, Json, Page, Query};
use shared::store::dead_letters::{Count, Shown};
use uuid::Uuid;

use super::choices::{Choices, classes, queues, types};
use super::fields::{address, given};
use super::labels::Label;
use super::{Answer, Operator, Shell, Tab, shell, words};
use crate::AppState;
use crate::dead_letters::{CountQuery, ListQuery, get_dead_letter_counts, get_dead_letters};

/// Where they are.
pub(super) const PATH: &str = "/console/dead-letters";

/// In place of a status.
const ALL: &str = "all";

/// Longer errors are shown whole on the dead letter's own page.
const ERROR_CHARS_MAX: usize = 160;

/// Which are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default, deserialize_with = "given")]
    queue: Option<String>,
    #[serde(rename = "type", default, deserialize_with = "given")]
    type_: Option<String>,
    #[serde(default, deserialize_with = "given")]
    error_class: Option<ErrorClass>,
    /// A status, or `all`.
    #[serde(default, deserialize_with = "given")]
    status: Option<String>,
    #[serde(default, deserialize_with = "given")]
    replay_id: Option<Uuid>,
    cursor: Option<String>,
    done: Option<String>,
}

impl Asked {
    /// Where those stand that are shown. At first that is where somebody must decide; of a replay
    /// all are.
    fn wanted(&self) -> Result<Option<DeadLetterStatus>, ApiError> {
        match self.status.as_deref() {
            None if self.replay_id.is_none() => Ok(Some(DeadLetterStatus::Parked)),
            None | Some(ALL) => Ok(None),
            Some(name) => match DeadLetterStatus::from_name(name) {
                Some(status) => Ok(Some(status)),
                None => Err(ApiError::invalid("status", "is not known")),
            },
        }
    }

    fn list(&self, status: Option<DeadLetterStatus>) -> ListQuery {
        ListQuery {
            queue: self.queue.clone(),
            type_: self.type_.clone(),
            error_class: self.error_class,
            status,
            replay_id: self.replay_id,
            limit: None,
            cursor: self.cursor.clone(),
        }
    }

    /// The same, elsewhere in the list.
    fn at(&self, status: Option<DeadLetterStatus>, cursor: Option<&str>) -> String {
        let query = [
            ("queue", self.queue.clone()),
            ("type", self.type_.clone()),
            ("error_class", self.error_class.map(|class| class.stored())),
            ("status", Some(name(status).to_owned())),
            ("replay_id", self.replay_id.map(|id| id.to_string())),
            ("cursor", cursor.map(ToOwned::to_owned)),
        ];
        address(PATH, query)
    }

    /// Replaying those that have the same in common.
    fn replay(&self) -> String {
        let query = [
            ("queue", self.queue.clone()),
            ("type", self.type_.clone()),
            ("error_class", self.error_class.map(|class| class.stored())),
        ];
        address(&format!("{PATH}/replay"), query)
    }

    /// Whether these are among those asked for, wherever they stand.
    fn has(&self, count: &Count) -> bool {
        let fits =
            |wanted: &Option<String>, is: Option<&str>| wanted.is_none() || wanted.as_deref() == is;
        fits(&self.queue, Some(&count.queue))
            && fits(&self.type_, count.type_.as_deref())
            && self
                .error_class
                .is_none_or(|class| class == count.error_class)
    }

    /// How many stand where, each with the way there.
    fn places(&self, counts: &[Count], shown: Option<DeadLetterStatus>) -> Vec<Place> {
        let each = DeadLetterStatus::ALL.map(Some).into_iter();
        let each = each.chain([None]).map(|status| {
            let there = |count: &&Count| {
                self.has(count) && status.is_none_or(|status| status == count.status)
            };
            let there = counts.iter().filter(there);
            Place {
                name: name(status),
                tone: status.map_or("", |status| status.tone()),
                count: there.map(|count| count.count).sum(),
                address: self.at(status, None),
                is_shown: status == shown,
            }
        });
        each.collect()
    }
}

fn name(status: Option<DeadLetterStatus>) -> &'static str {
    status.map_or(ALL, DeadLetterStatus::name)
}

/// How many stand somewhere.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    name: &'static str,
    tone: &'static str,
    count: i64,
    address: String,
    is_shown: bool,
}

#[derive(Template)]
#[template(path = "console/dead_letters.html")]
struct List {
    shell: Shell,
    /// This page's own.
    address: String,
    replay: String,
    replay_id: String,
    progress: Option<String>,
    places: Vec<Place>,
    meaning: &'static str,
    queues: Choices,
    types: Choices,
    classes: Choices,
    statuses: Choices,
    letters: Vec<Shown>,
    older: Option<String>,
}

/// Shows how many there are, and a page of them.
pub(crate) async fn show_all(
    State(state): State<AppState>,
    operator: Operator,
    Query(asked): Query<Asked>,
) -> Answer {
    let status = asked.wanted()?;
    let count = CountQuery {
        replay_id: asked.replay_id,
    };
    let (Json(counts), Json(page)) = futures::try_join!(
        get_dead_letter_counts(State(state.clone()), operator.admin(), Query(count)),
        get_dead_letters(State(state), operator.admin(), Query(asked.list(status))),
    )?;
    let mut shell = Shell::new(&operator, Tab::DeadLetters, "Dead letters");
    shell.done = asked.done.as_deref().and_then(sentence);
    shell::page(&List::of(shell, (&asked, status), &counts.items, page))
}

impl List {
    fn of(
        shell: Shell,
        (asked, status): (&Asked, Option<DeadLetterStatus>),
        counts: &[Count],
        page: Page<Shown>,
    ) -> Self {
        let older = page.next_cursor.as_deref();
        Self {
            shell,
            address: asked.at(status, asked.cursor.as_deref()),
            replay: asked.replay(),
            replay_id: asked.replay_id.map(|id| id.to_string()).unwrap_or_default(),
            progress: asked.replay_id.map(|_| progress(counts)),
            places: asked.places(counts, status),
            meaning: meaning(status),
            queues: queues(asked.queue.as_deref()),
            types: types(counts, asked.type_.as_deref()),
            classes: classes(asked.error_class),
            statuses: statuses(status),
            older: older.map(|cursor| asked.at(status, Some(cursor))),
            letters: page.items,
        }
    }
}

fn statuses(chosen: Option<DeadLetterStatus>) -> Choices {
    let chosen = Some(name(chosen));
    let all = DeadLetterStatus::ALL.map(Some).into_iter().chain([None]);
    Choices::new(all.map(|status| (name(status), name(status))), chosen)
}

/// What was done, by its word in the address.
pub(super) fn sentence(done: &str) -> Option<&'static str> {
    Some(match done {
        "replay" => "It is due now, and is sent again within a minute.",
        "replays" => {
            "They are due now, and are sent again from now on. How far they are stands below."
        }
        "discard" => "It is discarded, and never comes back.",
        _ => return None,
    })
}

/// What it means to stand there.
fn meaning(status: Option<DeadLetterStatus>) -> &'static str {
    match status {
        Some(DeadLetterStatus::Parked) => {
            "Parked: they would fail again, and nobody tries before somebody replays or discards them."
        }
        Some(DeadLetterStatus::Waiting) => {
            "Waiting: each is sent again by itself at its next attempt."
        }
        Some(DeadLetterStatus::Replaying) => {
            "Replaying: they were sent again, and their consumers have not answered yet."
        }
        Some(DeadLetterStatus::Replayed) => {
            "Replayed: their consumers have processed them after all."
        }
        Some(DeadLetterStatus::Discarded) => {
            "Discarded: somebody decided that they are not to be processed."
        }
        None => "All, wherever they stand, those that were given up last first.",
    }
}

/// How far a replay is: `390 of 500 replayed, 10 parked, 100 to go.`
fn progress(counts: &[Count]) -> String {
    let at = |wanted: &[DeadLetterStatus]| -> i64 {
        let there = counts.iter().filter(|count| wanted.contains(&count.status));
        there.map(|count| count.count).sum()
    };
    let replayed = at(&[DeadLetterStatus::Replayed]);
    let parked = at(&[DeadLetterStatus::Parked]);
    let to_go = at(&[DeadLetterStatus::Waiting, DeadLetterStatus::Replaying]);
    let all = at(&DeadLetterStatus::ALL);
    let discarded = match at(&[DeadLetterStatus::Discarded]) {
        0 => String::new(),
        some => format!(", {some} discarded"),
    };
    format!("{replayed} of {all} replayed, {parked} parked{discarded}, {to_go} to go.")
}

/// What is shown of an error in a list.
pub(super) fn first_line(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    if line.chars().count() <= ERROR_CHARS_MAX {
        return line.to_owned();
    }
    line.chars().take(ERROR_CHARS_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn count(queue: &str, status: DeadLetterStatus, count: i64) -> Count {
        Count {
            queue: queue.to_owned(),
            type_: Some("order_paid".to_owned()),
            error_class: ErrorClass::Defect,
            status,
            count,
            oldest_failed_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_somebody_must_decide_about_is_shown_first() {
        let asked = Asked::default();
        assert_eq!(asked.wanted().unwrap(), Some(DeadLetterStatus::Parked));
        let of_a_replay = Asked {
            replay_id: Some(Uuid::nil()),
            ..Asked::default()
        };
        assert_eq!(of_a_replay.wanted().unwrap(), None);
        let with = |status: &str| Asked {
            status: Some(status.to_owned()),
            ..Asked::default()
        };
        assert_eq!(with("all").wanted().unwrap(), None);
        assert_eq!(
            with("waiting").wanted().unwrap(),
            Some(DeadLetterStatus::Waiting)
        );
        assert!(with("lost").wanted().is_err());
    }

    #[test]
    fn counts_are_of_what_is_asked_for_and_lead_there() {
        let asked = Asked {
            queue: Some("mail".to_owned()),
            cursor: Some("old".to_owned()),
            ..Asked::default()
        };
        let counts = [
            count("mail", DeadLetterStatus::Parked, 3),
            count("mail", DeadLetterStatus::Waiting, 4),
            count("orders", DeadLetterStatus::Parked, 50),
        ];
        let places = asked.places(&counts, Some(DeadLetterStatus::Parked));
        let numbers: Vec<_> = places.iter().map(|it| (it.name, it.count)).collect();
        assert_eq!(
            numbers,
            [
                ("parked", 3),
                ("waiting", 4),
                ("replaying", 0),
                ("replayed", 0),
                ("discarded", 0),
                ("all", 7)
            ]
        );
        assert!(places[0].is_shown && !places[1].is_shown);
        let leads = "/console/dead-letters?queue=mail&status=waiting";
        assert_eq!(places[1].address, leads);
    }

    #[test]
    fn progress_of_a_replay_is_a_sentence() {
        let mut counts = vec![
            count("mail", DeadLetterStatus::Replayed, 300),
            count("orders", DeadLetterStatus::Replayed, 90),
            count("mail", DeadLetterStatus::Parked, 10),
            count("mail", DeadLetterStatus::Waiting, 60),
            count("mail", DeadLetterStatus::Replaying, 40),
        ];
        assert_eq!(
            progress(&counts),
            "390 of 500 replayed, 10 parked, 100 to go."
        );
        counts.push(count("mail", DeadLetterStatus::Discarded, 1));
        assert_eq!(
            progress(&counts),
            "390 of 501 replayed, 10 parked, 1 discarded, 100 to go."
        );
        assert_eq!(progress(&[]), "0 of 0 replayed, 0 parked, 0 to go.");
    }

    #[test]
    fn error_is_cut_at_its_first_line() {
        assert_eq!(first_line("it broke\nat 7"), "it broke");
        assert_eq!(first_line(""), "");
        let long = first_line(&"ü".repeat(500));
        assert_eq!(long.chars().count(), ERROR_CHARS_MAX + 1);
        assert!(long.ends_with('…'));
    }
}
