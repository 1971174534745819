//! The work that is done by a schedule, and what can become of a run of it.

use serde::{Deserialize, Serialize};

/// A scheduled job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Job {
    /// Orders that were accepted without the database.
    Intents,
    /// Payments without an outcome.
    Payments,
    /// Refunds that no message has made.
    Refunds,
    /// Reservations that ran out.
    Reservations,
    /// Our payments beside the provider's own list.
    Reconciliation,
    /// What closed accounts left.
    ClosedAccounts,
    /// What browsers reported long ago.
    Reports,
    /// What had its time.
    Expiry,
    /// Events that nobody handled.
    LostEvents,
    /// Events that were not published.
    Outbox,
    /// What is trending, for when there is no database.
    Trending,
    /// The last-good catalogue beside the database.
    Catalogue,
    /// Dead letters that were handled meanwhile, or done with long ago.
    DeadLetters,
    /// Dead letters whose time has come.
    Replays,
    /// Dead letters that somebody must decide about.
    Parked,
}

impl Job {
    /// Every job there is, in the order in which they run.
    pub const ALL: [Self; 15] = [
        Self::Intents,
        Self::Payments,
        Self::Refunds,
        Self::Reservations,
        Self::Reconciliation,
        Self::ClosedAccounts,
        Self::Reports,
        Self::Expiry,
        Self::LostEvents,
        Self::Outbox,
        Self::Trending,
        Self::Catalogue,
        Self::DeadLetters,
        Self::Replays,
        Self::Parked,
    ];

    /// Its name in the database, in logs and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intents => "intents",
            Self::Payments => "payments",
            Self::Refunds => "refunds",
            Self::Reservations => "reservations",
            Self::Reconciliation => "reconciliation",
            Self::ClosedAccounts => "closed_accounts",
            Self::Reports => "reports",
            Self::Expiry => "expiry",
            Self::LostEvents => "lost_events",
            Self::Outbox => "outbox",
            Self::Trending => "trending",
            Self::Catalogue => "catalogue",
            Self::Replays => "replays",
            Self::Parked => "parked",
            Self::DeadLetters => "dead_letters",
        }
    }

    /// The job of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }

    /// What it does.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Intents => "Places orders that were accepted without the database",
            Self::Payments => "Finds out what became of payments without an outcome",
            Self::Refunds => "Makes refunds that no message has made",
            Self::Reservations => "Ends orders whose customer did not authenticate in time",
            Self::Reconciliation => "Compares payments with the provider's own list",
            Self::ClosedAccounts => "Erases what closed accounts left in orders and elsewhere",
            Self::Reports => "Forgets reports of browsers that are too old to count",
            Self::Expiry => "Forgets old answers, mailed tokens, webhooks and runs of jobs",
            Self::LostEvents => "Has events sent again that nobody handled",
            Self::Outbox => "Publishes events that were not published",
            Self::Trending => "Keeps what is trending for when there is no database",
            Self::Catalogue => "Compares the last-good catalogue with the database",
            Self::Replays => "Sends dead letters again whose time has come",
            Self::Parked => "Counts dead letters that somebody must decide about",
            Self::DeadLetters => {
                "Ends dead letters that were handled meanwhile, and forgets old ones"
            }
        }
    }

    /// The function that runs it, and has its log.
    pub const fn function(self) -> &'static str {
        match self {
            Self::Replays | Self::Parked | Self::DeadLetters => "dlq-replayer",
            _ => "sweeper",
        }
    }
}

/// What became of a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[schema(as = JobOutcome)]
pub enum Outcome {
    /// It is under way.
    Running,
    /// It did what there was to do.
    Done,
    /// It looked, and its time had not come.
    NotDue,
    /// It failed.
    Failed,
    /// It ended without a word: its function was killed, or frozen for longer than its lease.
    Lost,
}

impl Outcome {
    /// Its name in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::NotDue => "not_due",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_job_is_found_by_its_name_and_no_other_is() {
        for job in Job::ALL {
            assert_eq!(Job::from_name(job.name()), Some(job));
        }
        assert_eq!(Job::from_name("Outbox"), None);
    }

    #[test]
    fn jobs_are_listed_once_and_in_the_order_of_their_runs() {
        assert!(Job::ALL.is_sorted_by(|one, next| one < next));
    }

    #[test]
    fn outcomes_have_one_name_everywhere() {
        use Outcome::{Done, Failed, Lost, NotDue, Running};
        for outcome in [Running, Done, NotDue, Failed, Lost] {
            assert_eq!(json!(outcome), json!(outcome.name()));
        }
    }
}
