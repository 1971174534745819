//! `events`: sends events of the journal again, and says what became of what is made of them.

use crate::emulator;
use crate::progress::{Progress, Step};
use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use local::journal::{self, Filter};
use local::stack::STAGE;
use local::{Stack, postgres};
use shared::store::last_good::{self, keys};
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
    Replay(ReplayOptions),
}

#[derive(Args)]
struct ReplayOptions {
    /// From here on: 2026-11-01, or 2026-11-01T12:00:00Z
    #[arg(long, value_parser = instant)]
    since: OffsetDateTime,
    /// Of this type, such as product_changed; may be given several times [default: all]
    #[arg(long = "type")]
    types: Vec<String>,
    /// To this function [default: all that handle events]
    #[arg(long)]
    to: Option<Consumer>,
    /// Removes what is made of the events first, so that they alone make it again. Only for the
    /// projector, and only if they tell of all that is removed
    #[arg(long, requires = "to", conflicts_with = "types")]
    clear: bool,
    /// Does not ask whether it is to be removed
    #[arg(long, requires = "clear")]
    yes: bool,
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
/// The stack does not run, or events are not handled, or what is to be removed would not come back.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let Action::Replay(options) = &options.action;
    let consumers = options
        .to
        .map_or_else(|| Consumer::value_variants().to_vec(), |one| vec![one]);
    let queues = consumers.iter().flat_map(|consumer| consumer.queues());
    let filter = Filter {
        since: options.since,
        types: options.types.clone(),
        queues: queues.map(|queue| (*queue).to_owned()).collect(),
    };
    let writer = postgres::writer(stack).await?;
    let mut db = postgres::connect(stack, writer, postgres::DATABASE).await?;
    if options.clear {
        may_be_cleared(&mut db, options).await?;
    }
    let before = digest(stack, &mut db).await?;
    println!("before  {before}");
    let progress = Progress::new();
    if options.clear {
        progress
            .step("clearing", async |_| Ok(((), clear(stack, &mut db).await?)))
            .await?;
        println!("cleared {}", digest(stack, &mut db).await?);
    }
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

/// Refuses what would not come back, and asks before anything is removed.
async fn may_be_cleared(db: &mut PgConnection, options: &ReplayOptions) -> Result<()> {
    let untold = journal::untold(db, options.since).await?;
    comes_back(options, &untold)
}

fn comes_back(options: &ReplayOptions, untold: &[String]) -> Result<()> {
    ensure!(
        matches!(options.to, Some(Consumer::Projector)),
        "Only what the projector makes can be made again: --to projector. Charges and mails are \
         no copies of anything."
    );
    ensure!(
        untold.is_empty(),
        "Nothing is removed, because these events do not tell of all that would be: {}. Remedy: an \
         earlier --since; what no event tells of at all, only the sweeper's comparison makes again.",
        untold.join(", ")
    );
    ensure!(options.yes, "{QUESTION}");
    Ok(())
}

/// What somebody has to know who says `--yes`.
const QUESTION: &str = "\
This removes the last-good catalogue and what was bought together, and makes both again of the \
journal. Customers do not notice as long as the database answers, but for recommendations, which \
are what is trending meanwhile. Should no node of the database answer before it is done, products \
that are missing there are 404, and checkout refuses them. Kept is what no event tells of: what is \
looked at, trending.json and walk.json. To do it: --yes";

/// Removes what the projector makes of the journal.
async fn clear(stack: &Stack, db: &mut PgConnection) -> Result<String> {
    let bucket = bucket(stack).await?;
    let removed = journal::clear(stack, &bucket, db, &[keys::TRENDING, keys::WALK]).await?;
    Ok(format!("{removed} objects, and what was bought together"))
}

/// What the last-good catalogue and the recommendations come to.
async fn digest(stack: &Stack, db: &mut PgConnection) -> Result<String> {
    let bucket = bucket(stack).await?;
    let models = journal::read_models(stack, &bucket, db).await?;
    Ok(last_good::digest(&models))
}

/// Where the last-good catalogue is.
async fn bucket(stack: &Stack) -> Result<String> {
    let projector = format!("holdfast-{STAGE}-projector");
    let mut variables = emulator::variables(stack, &projector).await?;
    let bucket = variables.remove("CATALOGUE_BUCKET");
    bucket.context("The projector knows no bucket. Remedy: cargo holdfast up")
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
    let mut failure = String::new();
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
                 with what is not published.{failure} Look at: cargo holdfast logs"
            );
        }
        step.say(format!("{waiting} of {all} events to handle"));
        // Some other job of the sweeper's may have failed; the next visit may not.
        if let Err(error) = emulator::invoke(stack, &sweeper).await {
            failure = format!(" The sweeper failed last: {error:#}.");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn day_and_instant_are_understood() {
        let midnight = instant("2026-11-01").unwrap();
        assert_eq!(midnight, instant("2026-11-01T00:00:00Z").unwrap());
        assert_eq!(midnight, instant("2026-11-01T01:00:00+01:00").unwrap());
        assert!(instant("yesterday").is_err());
    }

    #[derive(clap::Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(arguments: &[&str]) -> Result<ReplayOptions, clap::Error> {
        let begin = ["holdfast", "replay", "--since", "2026-11-01"];
        let command = Command::try_parse_from(begin.iter().chain(arguments).copied())?;
        let Action::Replay(options) = command.options.action;
        Ok(options)
    }

    #[test]
    fn nothing_is_cleared_that_would_not_come_back_or_that_nobody_has_said_yes_to() {
        let clear = |arguments: &[&str], untold: &[&str]| {
            let untold: Vec<String> = untold.iter().map(|&words| words.to_owned()).collect();
            let cleared = comes_back(&parsed(arguments).unwrap(), &untold);
            cleared.map_err(|error| error.to_string())
        };
        let all = ["--to", "projector", "--clear", "--yes"];
        assert_eq!(clear(&all, &[]), Ok(()));
        let untold = clear(&all, &["3 products on sale"]).unwrap_err();
        assert!(untold.contains("3 products on sale"), "{untold}");
        assert_eq!(clear(&all[..3], &[]), Err(QUESTION.to_owned()));
        let mails = clear(&["--to", "mailer", "--clear", "--yes"], &[]).unwrap_err();
        assert!(mails.contains("--to projector"), "{mails}");
    }

    #[test]
    fn to_clear_is_to_clear_all_of_one_consumer() {
        assert!(parsed(&["--to", "projector", "--clear"]).is_ok());
        for refused in [
            &["--clear", "--yes"][..],
            &["--to", "projector", "--yes"],
            &["--to", "projector", "--clear", "--type", "product_changed"],
        ] {
            assert!(parsed(refused).is_err(), "{refused:?}");
        }
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
