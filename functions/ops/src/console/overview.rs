//! What is well and what is not, on one page. It is for when everything is broken: each part is
//! asked for at the same moment, and one that cannot be had says so while the others are shown.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::State;
use shared::domain::dead_letters::DeadLetterStatus;
use shared::domain::flags::Flag;
use shared::http::{ApiError, Json, Page, Query};
use shared::resilience::policies::OVERVIEW_PATIENCE;
use shared::store::dead_letters::Count;
use time::OffsetDateTime;

use super::labels::Label as _;
use super::switches::{BreakerRow, FlagRow};
use super::{Answer, Operator, Shell, Tab, jobs, queues, shell, words};
use crate::checks::PRIMARY;
use crate::dead_letters::CountQuery;
use crate::readiness::{self, Condition, Readiness};
use crate::{AppState, breakers, dead_letters, flags};

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    shell: Shell,
    verdict: Verdict,
    /// What is switched off; nothing when that is not known.
    off: Option<Vec<FlagRow>>,
    /// What calls do not simply go through to.
    breakers: Vec<BreakerRow>,
    readiness: Readiness,
    queues: Vec<queues::Row>,
    dead_letters: Option<Vec<Standing>>,
    jobs: Option<Vec<jobs::Row>>,
}

/// The whole page in one sentence.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    tone: &'static str,
    words: String,
}

/// How many dead letters stand at one place.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    status: &'static str,
    meaning: &'static str,
    tone: &'static str,
    count: i64,
    oldest: String,
}

/// Shows everything that may be wrong.
pub(crate) async fn show(State(state): State<AppState>, operator: Operator) -> Answer {
    let state_and_admin = || (State(state.clone()), operator.admin());
    let flags = async {
        let (state, admin) = state_and_admin();
        flags::get_flags(state, admin).await
    };
    let breakers = async {
        let (state, admin) = state_and_admin();
        breakers::get_breakers(state, admin).await
    };
    let dead_letters = async {
        let (state, admin) = state_and_admin();
        let all = Query(CountQuery { replay_id: None });
        dead_letters::get_dead_letter_counts(state, admin, all).await
    };
    let jobs = async {
        let (state, admin) = state_and_admin();
        crate::jobs::get_jobs(state, admin).await
    };
    let (readiness, flags, Json(breakers), queues, dead_letters, jobs) = futures::join!(
        readiness::look(&state),
        in_patience("kill switches", flags),
        breakers,
        queues::look(&state),
        in_patience("dead letters", dead_letters),
        in_patience("scheduled jobs", jobs),
    );
    let off = flags.map(|Json(page)| off(page));
    let breakers = breakers.items.into_iter().map(BreakerRow::from);
    shell::page(&Overview {
        shell: Shell::new(&operator, Tab::Overview, "Overview"),
        verdict: Verdict::of(&readiness, off.as_deref()),
        off,
        breakers: breakers.filter(|row| !row.is_closed()).collect(),
        readiness,
        queues,
        dead_letters: dead_letters.map(|Json(page)| standings(&page.items)),
        jobs: jobs.map(|Json(page)| {
            page.items
                .into_iter()
                .map(|job| jobs::Row { job })
                .collect()
        }),
    })
}

/// A part of the page, if it can be had before the reader's patience ends.
pub(super) async fn in_patience<T>(
    part: &'static str,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Option<T> {
    match tokio::time::timeout(OVERVIEW_PATIENCE, work).await {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            error.log();
            None
        }
        Err(_) => {
            tracing::warn!(part, "a part of the overview took too long");
            None
        }
    }
}

fn off(page: Page<flags::FlagView>) -> Vec<FlagRow> {
    let rows = page.items.into_iter().map(FlagRow::from);
    rows.filter(|row| !row.enabled).collect()
}

impl Verdict {
    fn of(readiness: &Readiness, off: Option<&[FlagRow]>) -> Self {
        let (tone, words) = match readiness.status {
            Condition::Unhealthy => {
                let primary = readiness.checks.get(PRIMARY);
                let reason = primary.and_then(|check| check.detail.as_deref());
                let reason = reason.unwrap_or("the database does not say why");
                ("bad", format!("The shop cannot sell: {reason}."))
            }
            _ if is_off(off, Flag::Checkout) => (
                "bad",
                "The shop does not sell: checkout is switched off.".to_owned(),
            ),
            Condition::Degraded => {
                let ill = readiness.checks.iter();
                let ill = ill.filter(|(_, check)| check.status != Condition::Healthy);
                let ill: Vec<&str> = ill.map(|(name, _)| name.as_str()).collect();
                let words = format!("The shop sells. Not as it should be: {}.", ill.join(", "));
                ("warn", words)
            }
            Condition::Healthy => ("good", "The shop sells.".to_owned()),
        };
        Self { tone, words }
    }
}

fn is_off(off: Option<&[FlagRow]>, flag: Flag) -> bool {
    let mut rows = off.unwrap_or_default().iter();
    rows.any(|row| row.name == flag.name())
}

/// Counts of all queues together, in the order of a dead letter's life.
fn standings(counts: &[Count]) -> Vec<Standing> {
    let mut sums: BTreeMap<DeadLetterStatus, (i64, OffsetDateTime)> = BTreeMap::new();
    for part in counts {
        let (count, oldest) = sums
            .entry(part.status)
            .or_insert((0, part.oldest_failed_at));
        *count += part.count;
        *oldest = (*oldest).min(part.oldest_failed_at);
    }
    let standing =
        |(status, (count, oldest)): (DeadLetterStatus, (i64, OffsetDateTime))| Standing {
            status: status.name(),
            meaning: meaning(status),
            tone: status.tone(),
            count,
            oldest: words::ago(&oldest),
        };
    sums.into_iter().map(standing).collect()
}

/// What it means for whoever reads it.
const fn meaning(status: DeadLetterStatus) -> &'static str {
    match status {
        DeadLetterStatus::Waiting => "sent again by itself",
        DeadLetterStatus::Replaying => "sent again, without an answer yet",
        DeadLetterStatus::Parked => "somebody must decide",
        DeadLetterStatus::Replayed => "processed after all",
        DeadLetterStatus::Discarded => "given up by somebody",
    }
}

#[cfg(test)]
mod tests {
    use shared::clock;
    use shared::domain::dead_letters::ErrorClass;
    use time::Duration;

    use super::*;

    fn readiness(status: Condition, primary: Condition, detail: Option<&str>) -> Readiness {
        let mut readiness = readiness::example();
        readiness.status = status;
        for (name, check) in &mut readiness.checks {
            check.status = if name == PRIMARY { primary } else { status };
            check.detail = detail.map(ToOwned::to_owned);
        }
        readiness
    }

    fn verdict(readiness: &Readiness, off: &[FlagRow]) -> (&'static str, String) {
        let Verdict { tone, words } = Verdict::of(readiness, Some(off));
        (tone, words)
    }

    #[test]
    fn page_says_first_whether_the_shop_sells_and_why_not() {
        use Condition::{Degraded, Healthy, Unhealthy};
        let well = readiness(Healthy, Healthy, None);
        assert_eq!(verdict(&well, &[]), ("good", "The shop sells.".to_owned()));
        let gone = readiness(Unhealthy, Unhealthy, Some("no node accepts writes"));
        let words = "The shop cannot sell: no node accepts writes.".to_owned();
        assert_eq!(verdict(&gone, &[]), ("bad", words));
        let (tone, words) = verdict(&readiness(Degraded, Healthy, None), &[]);
        assert_eq!(tone, "warn");
        assert!(words.contains("dynamodb, payments, s3") && !words.contains(PRIMARY));
    }

    #[test]
    fn shop_whose_checkout_is_switched_off_does_not_sell() {
        let well = readiness(Condition::Healthy, Condition::Healthy, None);
        let row = |name| FlagRow {
            name,
            description: "",
            enabled: false,
            moved: None,
        };
        let (tone, words) = verdict(&well, &[row("search"), row("checkout")]);
        assert_eq!(
            (tone, words.as_str()),
            ("bad", "The shop does not sell: checkout is switched off.")
        );
        assert_eq!(verdict(&well, &[row("search")]).0, "good");
        assert_eq!(Verdict::of(&well, None).tone, "good");
    }

    #[test]
    fn dead_letters_are_summed_over_queues_and_kinds() {
        let count = |queue: &str, status, count, minutes| Count {
            queue: queue.to_owned(),
            type_: None,
            error_class: ErrorClass::Defect,
            status,
            count,
            oldest_failed_at: clock::now() - Duration::minutes(minutes),
        };
        let standings = standings(&[
            count("mail", DeadLetterStatus::Parked, 2, 10),
            count("orders", DeadLetterStatus::Waiting, 1, 3),
            count("orders", DeadLetterStatus::Parked, 5, 30),
        ]);
        let shown: Vec<_> = standings
            .iter()
            .map(|it| (it.status, it.count, it.oldest.as_str()))
            .collect();
        assert_eq!(
            shown,
            [("waiting", 1, "3 min ago"), ("parked", 7, "30 min ago")]
        );
    }
}
