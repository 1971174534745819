//! The schedules, as readiness shows them: whether a job was missed. Selling never depends on it.

use std::time::Duration;

use shared::clock;
use shared::events::is_overdue;
use shared::resilience::Dependency;
use shared::resilience::policies::SCHEDULES_TIMEOUT;
use shared::store::jobs::Standing;

use crate::AppState;
use crate::jobs;
use crate::readiness::{Check, Condition};

/// The check's name.
pub(crate) const SCHEDULES: &str = "schedules";

/// How every job stands; nothing when no node of the database says so in time.
pub(crate) async fn look(state: &AppState) -> Option<Vec<Standing>> {
    let read = tokio::time::timeout(SCHEDULES_TIMEOUT, jobs::standings(state));
    read.await.ok()?.ok()
}

/// What is shown of it.
pub(crate) fn check(standings: Option<Vec<Standing>>, latency: Duration) -> Check {
    let check = |condition| Check::new(Dependency::DatabaseReads, condition, latency);
    let Some(standings) = standings else {
        return check(Condition::Degraded).detail("not known: no node of the database tells");
    };
    let missed = standings.iter().filter(|standing| is_overdue(standing));
    let missed: Vec<String> = missed.map(told).collect();
    if missed.is_empty() {
        return check(Condition::Healthy);
    }
    check(Condition::Degraded).detail(missed.join(", "))
}

fn told(standing: &Standing) -> String {
    let age = clock::now() - standing.last_succeeded_at;
    let age = match (age.whole_days(), age.whole_hours(), age.whole_minutes()) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, _) => format!("{hours} h"),
        (days, ..) => format!("{days} d"),
    };
    format!("{}: last done {age} ago", standing.name)
}

#[cfg(test)]
mod tests {
    use time::Duration as Span;

    use super::*;

    fn standing(name: &str, ago: Span) -> Standing {
        Standing {
            name: name.to_owned(),
            leased_until: None,
            last_started_at: None,
            last_succeeded_at: clock::now() - ago,
            last_outcome: None,
        }
    }

    fn shown(standings: Option<Vec<Standing>>) -> (Condition, Option<String>) {
        let check = check(standings, Duration::ZERO);
        (check.status, check.detail)
    }

    #[test]
    fn jobs_that_were_missed_are_named_with_their_last_success() {
        let standings = vec![
            standing("outbox", Span::minutes(7)),
            standing("trending", Span::minutes(1)),
            standing("payments", Span::minutes(150)),
            standing("expiry", Span::days(3)),
        ];
        let detail =
            "outbox: last done 7 min ago, payments: last done 2 h ago, expiry: last done 3 d ago";
        assert_eq!(
            shown(Some(standings)),
            (Condition::Degraded, Some(detail.to_owned()))
        );
    }

    #[test]
    fn jobs_that_are_done_in_time_are_healthy() {
        let standings = vec![
            standing("outbox", Span::minutes(1)),
            standing("reconciliation", Span::minutes(12)),
        ];
        assert_eq!(shown(Some(standings)), (Condition::Healthy, None));
    }

    #[test]
    fn what_is_not_known_is_never_worse_than_degraded() {
        let (status, detail) = shown(None);
        assert_eq!(status, Condition::Degraded);
        assert!(detail.unwrap().contains("no node of the database"));
    }
}
