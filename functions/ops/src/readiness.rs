//! Asks every dependency at the same moment and sums up what that means for the shop.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use shared::clock;
use shared::providers::probes::{ProbeError, Probes};
use shared::resilience::{Dependency, SharedState};
use shared::store::migrations;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::AppState;
use crate::checks::{PRIMARY, no_login, outside, schema, seats};
use crate::schedules::{self, SCHEDULES};

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// As it should be.
    Healthy,
    /// There, but not as it should be.
    Degraded,
    /// Gone.
    Unhealthy,
}

impl Condition {
    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }

    /// How a page shows it.
    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Healthy => "good",
            Self::Degraded => "warn",
            Self::Unhealthy => "bad",
        }
    }
}

/// Whether the shop can sell, and what is missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Readiness {
    /// `unhealthy` means that the shop cannot sell.
    pub status: Condition,
    /// How many of the checks are healthy.
    #[schema(example = "9/9")]
    pub score: String,
    /// Each dependency by its name; and `schedules`, which is degraded when a job was missed.
    pub checks: BTreeMap<String, Check>,
    /// The newest migration that the database has; null when no node could tell.
    #[schema(example = 7)]
    pub schema_version: Option<i64>,
    /// The newest migration that this release knows. While the database has only older ones, it is
    /// read and not written to.
    #[schema(example = 7)]
    pub schema_wanted: i64,
    /// When this was found out.
    #[serde(with = "time::serde::rfc3339")]
    pub timestamp: OffsetDateTime,
}

/// One dependency.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// How it is.
    pub status: Condition,
    /// How long it took to find out, in milliseconds.
    #[schema(example = 1.4)]
    pub latency_ms: f64,
    /// How the breaker in front of it stands: `closed`, `open` or `half_open`; `held_open` or
    /// `held_closed` by an operator.
    #[schema(example = "closed")]
    pub breaker: String,
    /// What it said, for a person; null where it had nothing to say.
    pub detail: Option<String>,
}

/// Looks at everything.
pub(crate) async fn look(state: &AppState) -> Readiness {
    let (database, outsiders, (standings, latency), ()) = futures::join!(
        timed(state.database.roles()),
        look_outside(&state.probes),
        timed(schedules::look(state)),
        state.breakers.refresh(),
    );
    let (mut checks, schema_version) = match database {
        (Ok(nodes), _) => {
            let schema = schema(&nodes);
            (seats(nodes), schema)
        }
        (Err(_), latency) => (no_login(latency), None),
    };
    checks.extend(outsiders);
    let schedules = schedules::check(standings, latency);
    checks.insert(SCHEDULES.to_owned(), schedules);
    sum_up(checks, schema_version)
}

/// What is not the database. A second endpoint is there only if it was configured.
async fn look_outside(probes: &Probes) -> Vec<(String, Check)> {
    use Dependency::{
        Dynamo, Mail, MailSecondary, Objects, Payments, Queues, Secrets, SecretsSecondary,
    };
    let (dynamodb, sqs, s3, secrets, payments, mail, mail_secondary) = futures::join!(
        timed(probes.dynamodb()),
        timed(probes.sqs()),
        timed(probes.s3()),
        timed(probes.secretsmanager()),
        timed(probes.payments()),
        timed(probes.mail()),
        timed(probes.mail_secondary()),
    );
    let mut answers = vec![
        (Dynamo, dynamodb),
        (Queues, sqs),
        (Objects, s3),
        (Payments, payments),
    ];
    let regions = [Secrets, SecretsSecondary].into_iter().zip(secrets.0);
    answers.extend(regions.map(|(region, answer)| (region, (answer, secrets.1))));
    for (provider, (answer, latency)) in [(Mail, mail), (MailSecondary, mail_secondary)] {
        answers.extend(answer.map(|answer| (provider, (answer, latency))));
    }
    let check = |(dependency, (answer, latency)): (Dependency, _)| {
        let check = outside(dependency, answer, latency);
        (dependency.name().to_owned(), check)
    };
    answers.into_iter().map(check).collect()
}

async fn timed<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let started = Instant::now();
    let result = work.await;
    (result, started.elapsed())
}

fn sum_up(checks: BTreeMap<String, Check>, schema_version: Option<i64>) -> Readiness {
    let healthy = checks
        .values()
        .filter(|check| check.status == Condition::Healthy)
        .count();
    let sells = checks
        .get(PRIMARY)
        .is_some_and(|primary| primary.status != Condition::Unhealthy);
    Readiness {
        status: match (sells, healthy == checks.len()) {
            (false, _) => Condition::Unhealthy,
            (true, false) => Condition::Degraded,
            (true, true) => Condition::Healthy,
        },
        score: format!("{healthy}/{}", checks.len()),
        checks,
        schema_version,
        schema_wanted: migrations::built_for(),
        timestamp: clock::now(),
    }
}

/// What stands in the documentation.
pub(crate) fn example() -> Readiness {
    let latency = Duration::from_micros(1_400);
    let mut checks = BTreeMap::new();
    for (name, dependency) in [
        (PRIMARY, Dependency::DatabaseWriter),
        ("dynamodb", Dependency::Dynamo),
        ("sqs", Dependency::Queues),
        ("s3", Dependency::Objects),
        ("secretsmanager", Dependency::Secrets),
        (SCHEDULES, Dependency::DatabaseReads),
    ] {
        let check = Check::new(dependency, Condition::Healthy, latency);
        checks.insert(name.to_owned(), check);
    }
    let gone = outside(Dependency::Payments, Err(ProbeError::TimedOut), latency);
    checks.insert("payments".to_owned(), gone);
    Readiness {
        timestamp: OffsetDateTime::UNIX_EPOCH,
        ..sum_up(checks, Some(migrations::built_for()))
    }
}
