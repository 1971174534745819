//! `drill`: customers come and go while something is away, and a checker says what became of it.

mod letters;
mod shown;
mod trouble;

use crate::progress::Progress;
use crate::steps::accounts;
use anyhow::{Result, bail};
use clap::Args;
use local::drill::{Act, Answer, Scene, SignIn, Summary, Traffic, check, settle, within};
use local::faults::Dependency;
use local::{Port, Stack, postgres};
use serde_json::Value;
use shown::Shown;
use sqlx::postgres::PgConnection;
use std::time::Duration;
use trouble::Trouble;

/// Who comes and goes, where nothing else is said.
const CUSTOMERS: u16 = 8;
/// Traffic before the fault, to compare with.
const BEFORE: Duration = Duration::from_secs(10);
/// Traffic after it, to see it recover.
const AFTER: Duration = Duration::from_secs(15);
/// The sweeper comes once a minute and takes what is left over; a few rounds are enough.
const SETTLE: Duration = Duration::from_secs(240);

#[derive(Args)]
pub(crate) struct Options {
    /// What is taken away: as in `cargo holdfast fault`, with + between what fails at once and
    /// commas between drills; `database` for all its nodes; a function; `all` dependencies in turn;
    /// `dead-letters` for a defect that lets messages die, until all are replayed
    #[arg(value_delimiter = ',', required = true)]
    what: Vec<String>,
    /// How: as in `cargo holdfast fault` (refuse by default); kill or freeze for a database node;
    /// failover for `database`; kill for a function
    #[arg(long)]
    kind: Option<String>,
    /// For how many seconds
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// How many environments of a function are killed meanwhile
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    times: u32,
    /// How many messages die of `dead-letters`; one in fifty can never work
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(50..=5000))]
    letters: u16,
    /// Customers; 8 by default, and 3 of `dead-letters`, which compares how long they wait: of a
    /// machine that has no room left it would only say that
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200))]
    customers: Option<u16>,
    /// Prints one JSON object per drill and nothing else
    #[arg(long)]
    json: bool,
}

/// What a drill says at its end.
struct Told {
    violations: usize,
    text: String,
    json: Value,
}

/// Runs the drills, one after the other.
///
/// # Errors
/// The stack is not well to begin with, or a rule was broken.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let progress = match options.json {
        true => Progress::silent(),
        false => Progress::new(),
    };
    let mut violations = 0;
    for what in chosen(options) {
        let told = match what.as_str() {
            letters::WHAT => letters::drill(stack, options, &progress).await?,
            _ => drill(stack, options, &what, &progress).await?.told(),
        };
        violations += told.violations;
        match options.json {
            true => println!("{}", told.json),
            false => progress.line(&told.text),
        }
    }
    if violations > 0 {
        bail!("{violations} rules were broken.");
    }
    Ok(())
}

/// `all` is everything that a fault can be made for, one after the other.
fn chosen(options: &Options) -> Vec<String> {
    if options.what == ["all"] {
        return Dependency::ALL
            .map(|dependency| dependency.name().to_owned())
            .into();
    }
    options.what.clone()
}

async fn drill(stack: &Stack, options: &Options, what: &str, progress: &Progress) -> Result<Shown> {
    let trouble = Trouble::of(stack, what, options.kind.as_deref(), options.times)?;
    let customers = options.customers.unwrap_or(CUSTOMERS);
    let scene = prepare(stack, customers, progress).await?;
    let traffic = Traffic::start(&scene);
    tokio::time::sleep(BEFORE).await;
    let from = traffic.elapsed();
    let lasts = Duration::from_secs(options.seconds);
    let played = progress
        .step("trouble", async |step| {
            let words = format!("{what}: {}", trouble.kind());
            step.say(words.clone());
            Ok((trouble.play(stack, lasts, &traffic, step).await?, words))
        })
        .await?;
    let until = traffic.elapsed();
    tokio::time::sleep(AFTER).await;
    let (answers, outcomes) = traffic.end().await;
    trouble.tidy_up(stack).await?;
    let writer = postgres::writer(stack).await?;
    let mut db = postgres::connect(stack, writer, postgres::DATABASE).await?;
    let settled = settled(&mut db, progress).await?;
    let report = check(&mut db, &stack.url(Port::Payments), &outcomes, &scene.goods).await?;
    Ok(Shown {
        what: what.to_owned(),
        kind: trouble.kind().to_owned(),
        words: played.words,
        wrote_again: played.promoted_at.and_then(|at| wrote_again(&answers, at)),
        during: Summary::of_all(&within(&answers, &[(from, until)])),
        recovered: recovered(&answers, until),
        settled,
        report,
    })
}

async fn prepare(stack: &Stack, customers: u16, progress: &Progress) -> Result<Scene> {
    let accounts = accounts::made(stack)?;
    let seller = SignIn {
        email: accounts.seller.email,
        password: accounts.seller.password,
    };
    progress
        .step("customers", async |_| {
            let url = stack.url(Port::Front);
            let scene = Scene::prepare(&url, &seller, customers.into()).await?;
            let words = format!(
                "{} people, {} products",
                scene.buyers.len(),
                scene.goods.len()
            );
            Ok((scene, words))
        })
        .await
}

/// Waits until nothing is under way; after how long, if it ever came to that.
async fn settled(db: &mut PgConnection, progress: &Progress) -> Result<Option<Duration>> {
    progress
        .step("settling", async |_| {
            let settled = settle(db, SETTLE).await?;
            let words = settled.map_or("something is left under way".to_owned(), |_| String::new());
            Ok((settled, words))
        })
        .await
}

/// Until the last answer of those that were asked for after the fault and not served.
fn recovered(answers: &[Answer], until: Duration) -> Duration {
    let last = answers
        .iter()
        .rfind(|answer| answer.at >= until && !answer.served());
    last.map(|answer| (answer.at + answer.took).saturating_sub(until))
        .unwrap_or_default()
}

/// Until the first order that was placed and paid.
fn wrote_again(answers: &[Answer], since: Duration) -> Option<Duration> {
    let placed = |answer: &&Answer| answer.act == Act::Order && answer.status == 201;
    let ends = answers
        .iter()
        .filter(placed)
        .map(|answer| answer.at + answer.took);
    ends.filter(|end| *end >= since)
        .min()
        .map(|end| end - since)
}
