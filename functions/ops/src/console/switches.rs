//! Every kill switch and every breaker: how it stands, who moved it last, and why. They stand in
//! DynamoDB, so this page needs no other database.

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use shared::http::{Json, Query};
use time::OffsetDateTime;
use uuid::Uuid;

use super::overview::in_patience;
use super::{Answer, Operator, Shell, Tab, shell, words};
use crate::breakers::BreakerView;
use crate::flags::FlagView;
use crate::{AppState, breakers, flags};

/// A kill switch on a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FlagRow {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) enabled: bool,
    pub(super) moved: Option<Moved>,
}

/// A breaker on a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BreakerRow {
    pub(super) name: &'static str,
    pub(super) state: &'static str,
    pub(super) meanwhile: &'static str,
    pub(super) moved: Option<Moved>,
}

/// Who moved something last, when and why.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) by: String,
    pub(super) reason: String,
    pub(super) at: OffsetDateTime,
}

/// What stands in the address.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    /// What was done just now.
    done: Option<String>,
}

#[derive(Template)]
#[template(path = "console/switches.html")]
struct Switches {
    shell: Shell,
    /// Nothing when the table cannot be read.
    flags: Option<Vec<FlagRow>>,
    breakers: Vec<BreakerRow>,
}

/// Shows all of them.
pub(crate) async fn show_all(
    State(state): State<AppState>,
    operator: Operator,
    Query(query): Query<Shown>,
) -> Answer {
    let (flags, Json(breakers)) = futures::join!(
        in_patience(
            "kill switches",
            flags::get_flags(State(state.clone()), operator.admin())
        ),
        breakers::get_breakers(State(state.clone()), operator.admin()),
    );
    let mut shell = Shell::new(&operator, Tab::Switches, "Switches");
    shell.done = query.done.as_deref().and_then(sentence);
    let flags = flags.map(|Json(page)| page.items.into_iter().map(FlagRow::from).collect());
    let breakers = breakers.items.into_iter().map(BreakerRow::from).collect();
    shell::page(&Switches {
        shell,
        flags,
        breakers,
    })
}

/// What was done, by its word in the address.
fn sentence(done: &str) -> Option<&'static str> {
    Some(match done {
        "switched" => "The switch is moved. Every function knows it within seconds.",
        "switched-unrecorded" => {
            "The switch is moved. The database is away, so the audit log does not have it: the log \
             of ops does, in the line `not in the audit log`."
        }
        "set" => "The breaker is set. Each environment knows it when it next reads the table.",
        "set-unrecorded" => {
            "The breaker is set. The database is away, so the audit log does not have it: the log \
             of ops does, in the line `not in the audit log`."
        }
        _ => return None,
    })
}

impl Moved {
    fn of(
        (by, reason, at): (Option<Uuid>, Option<String>, Option<OffsetDateTime>),
    ) -> Option<Self> {
        Some(Self {
            by: by?.to_string(),
            reason: reason?,
            at: at?,
        })
    }

    /// How long ago.
    pub(super) fn ago(&self) -> words::Time {
        words::age(&self.at)
    }
}

impl FlagRow {
    /// How a page shows it.
    pub(super) const fn tone(&self) -> &'static str {
        if self.enabled { "good" } else { "bad" }
    }

    /// The same in a word.
    pub(super) const fn state(&self) -> &'static str {
        if self.enabled { "on" } else { "off" }
    }
}

impl BreakerRow {
    /// Whether calls simply go through.
    pub(super) fn is_closed(&self) -> bool {
        self.state == "closed"
    }

    /// How a page shows it.
    pub(super) fn tone(&self) -> &'static str {
        match self.state {
            "closed" => "good",
            "open" | "held_open" => "bad",
            _ => "warn",
        }
    }

    /// The same in words.
    pub(super) fn state(&self) -> &'static str {
        match self.state {
            "closed" => "closed",
            "open" => "open",
            "half_open" => "half-open",
            "held_open" => "held open",
            "held_closed" => "held closed",
            other => other,
        }
    }
}

impl From<FlagView> for FlagRow {
    fn from(view: FlagView) -> Self {
        Self {
            name: view.name,
            description: view.description,
            enabled: view.enabled,
            moved: Moved::of((view.updated_by, view.reason, view.updated_at)),
        }
    }
}

impl From<BreakerView> for BreakerRow {
    fn from(view: BreakerView) -> Self {
        Self {
            name: view.name,
            state: view.state,
            meanwhile: view.meanwhile,
            moved: Moved::of((view.updated_by, view.reason, view.updated_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_has_no_say_in_what_was_done() {
        assert_eq!(sentence("Everything is <b>fine</b>"), None);
        assert!(sentence("switched").is_some());
    }

    #[test]
    fn what_the_audit_log_lacks_is_said() {
        for word in ["switched-unrecorded", "set-unrecorded"] {
            let said = sentence(word).unwrap();
            assert!(said.contains("the audit log does not have it"), "{word}");
        }
    }

    #[test]
    fn breaker_that_somebody_holds_is_no_closed_one() {
        let row = |state| BreakerRow {
            name: "payments",
            state,
            meanwhile: "",
            moved: None,
        };
        assert!(row("closed").is_closed());
        for state in ["open", "half_open", "held_open", "held_closed"] {
            assert!(!row(state).is_closed(), "{state}");
            assert_ne!(row(state).tone(), "good", "{state}");
        }
    }
}
