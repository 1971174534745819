//! `events`: sends events of the journal again, and says what became of what is made of them.

use crate::emulator;
use crate::progress::{Progress, Step};
use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use local::journal::{self, Filter};
use local::stack::STAGE;
use local::{Stack, postgres};
use shared::store::last_good;
use sqlx::postgres::PgConnection;
use std::time::{Duration, Instant};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

/// Without one event less to wait for in so long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(180);
const PAUSE: Duration = Duration::from_millis(300);

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Has events handled once more, in their order. What was done is not done twice; what is made
    /// of them, as the last-good catalogue, comes out as it should be
    Replay {
        /// From here on: 2026-11-01, or 2026-11-01T12:00:00Z
        #[arg(long, value_parser = instant)]
        since: OffsetDateTime,
        /// Of this type, such as product_changed; may be given several times [default: all]
        #[arg(long = "type")]
        types: Vec<String>,
        /// To this function [default: all that handle events]
        #[arg(long)]
        to: Option<Consumer>,
    },
}

/// A function that handles events.
#[derive(Clone, Copy, ValueEnum)]
enum Consumer {
    Projector,
    OrderWorker,
    Mailer,
}

impl Consumer {
    fn queues(self) -> &'static [&'static str] {
        match self {
            Self::Projector => &["catalogue", "analytics"],
            Self::OrderWorker => &["orders"],
            Self::Mailer => &["mail"],
        }
    }
}

fn instant(text: &str) -> Result<OffsetDateTime> {
    let day = time::macros::format_description!("[year]-[month]-[day]");
    if let Ok(date) = Date::parse(text, &day) {
        return Ok(date.midnight().assume_utc());
    }
    let instant = OffsetDateTime::parse(text, &Rfc3339);
    instant.context("use a day, 2026-11-01, or an instant, 2026-11-01T12:00:00Z")
}

/// Replays.
///
/// # Errors
/// The stack does not run, or events are not handled.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let Action::Replay { since, types, to } = &options.action;
    let consumers = to.map_or_else(|| Consumer::value_variants().to_vec(), |one| vec![one]);
    let queues = consumers.iter().flat_map(|consumer| consumer.queues());
    let filter = Filter {
        since: *since,
        types: types.clone(),
        queues: queues.map(|queue| (*queue).to_owned()).collect(),
    };
    let writer = postgres::writer(stack).await?;
    let mut db = postgres::connect(stack, writer, postgres::DATABASE).await?;
    let before = digest(stack, &mut db).await?;
    println!("before  {before}");
    let progress = Progress::new();
    progress
        .step("replaying", async |step| {
            Ok(((), replay(stack, &mut db, &filter, step).await?))
        })
        .await?;
    let after = digest(stack, &mut db).await?;
    let words = match before == after {
        true => "the same",
        false => "another: the shop changed meanwhile, or it was not as it should be before",
    };
    println!("after   {after}  {words}");
    Ok(())
}

/// What the last-good catalogue and the recommendations come to.
async fn digest(stack: &Stack, db: &mut PgConnection) -> Result<String> {
    let projector = format!("holdfast-{STAGE}-projector");
    let variables = emulator::variables(stack, &projector).await?;
    let bucket = &variables["CATALOGUE_BUCKET"];
    let models = journal::read_models(stack, bucket, db).await?;
    Ok(last_good::digest(&models))
}

/// Marks the events, has the sweeper publish them, and waits until each was handled.
async fn replay(
    stack: &Stack,
    db: &mut PgConnection,
    filter: &Filter,
    step: &Step,
) -> Result<String> {
    let all = journal::replay(db, filter).await?;
    let sweeper = format!("holdfast-{STAGE}-sweeper");
    let (mut fewest, mut since) = (i64::MAX, Instant::now());
    loop {
        let waiting = journal::waiting(db, filter).await?;
        if waiting == 0 {
            return Ok(format!("{all} events handled"));
        }
        if waiting < fewest {
            (fewest, since) = (waiting, Instant::now());
        }
        if since.elapsed() > PATIENCE {
            bail!(
                "{waiting} of {all} events are not handled. They are not lost: the sweeper goes on \
                 with what is not published. Look at: cargo holdfast logs"
            );
        }
        step.say(format!("{waiting} of {all} events to handle"));
        emulator::invoke(stack, &sweeper).await?;
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_and_instant_are_understood() {
        let midnight = instant("2026-11-01").unwrap();
        assert_eq!(midnight, instant("2026-11-01T00:00:00Z").unwrap());
        assert_eq!(midnight, instant("2026-11-01T01:00:00+01:00").unwrap());
        assert!(instant("yesterday").is_err());
    }

    #[test]
    fn every_queue_has_its_consumer() {
        use shared::domain::events::Queue;
        let queues = Consumer::value_variants()
            .iter()
            .flat_map(|one| one.queues());
        let known: Vec<Queue> = queues.filter_map(|name| Queue::from_name(name)).collect();
        assert_eq!(known.len(), 4);
    }
}
