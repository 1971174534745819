//! `dlq`: shows what consumers gave up, and replays or discards it, as the stack's admin.

mod follow;
mod table;

use anyhow::{Context, Result, ensure};
use clap::{Args, Subcommand};
use local::Stack;
use reqwest::Url;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::seed::Api;
use crate::steps::accounts::Account;

/// The most that the API gives at once.
const PAGE: usize = 100;

/// The most that the API replays at once.
const LIMIT: i64 = 10_000;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Lists dead letters, those that were given up last first [the default]
    List(ListOptions),
    /// Shows one, with the reason why it died
    Show {
        /// As the list names it
        id: Uuid,
    },
    /// Replays one, or all that filters choose, and shows how far it is
    Replay(ReplayOptions),
    /// Gives one up for good
    Discard {
        /// As the list names it
        id: Uuid,
        /// Why, for whoever asks later
        #[arg(long)]
        reason: String,
    },
    /// Counts them by queue, type, kind of failure and status
    Stats {
        /// Only those of one replay
        #[arg(long)]
        replay: Option<Uuid>,
        /// Shows how far that replay is until it is done
        #[arg(long, requires = "replay")]
        follow: bool,
    },
}

#[derive(Args, Default)]
struct ListOptions {
    #[command(flatten)]
    filters: Filters,
    /// waiting, replaying, parked, replayed or discarded
    #[arg(long)]
    status: Option<String>,
    /// Only those of one replay
    #[arg(long)]
    replay: Option<Uuid>,
    /// How many at most
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

#[derive(Args, Default)]
struct Filters {
    /// orders, mail, catalogue or analytics
    #[arg(long)]
    queue: Option<String>,
    /// The event's type, such as `payment_due`
    #[arg(long = "type")]
    type_: Option<String>,
    /// The kind of failure, such as `transient` or `defect`
    #[arg(long = "class")]
    error_class: Option<String>,
}

#[derive(Args, Default)]
struct ReplayOptions {
    /// One, as the list names it; without it, all that the filters choose
    #[arg(conflicts_with_all = ["queue", "type_", "error_class", "dry_run", "all"])]
    id: Option<Uuid>,
    #[command(flatten)]
    filters: Filters,
    /// All that wait or are parked, without a filter
    #[arg(long)]
    all: bool,
    /// How many at most, the oldest first
    #[arg(long, default_value_t = LIMIT)]
    limit: i64,
    /// Only says what would be replayed
    #[arg(long)]
    dry_run: bool,
    /// Does not wait for its end
    #[arg(long)]
    no_wait: bool,
}

/// A dead letter, as the API shows it.
#[derive(Deserialize)]
struct DeadLetter {
    id: Uuid,
    queue: String,
    #[serde(rename = "type")]
    type_: Option<String>,
    event_id: Option<Uuid>,
    aggregate_id: Option<Uuid>,
    sequence: Option<i64>,
    error_class: String,
    error: String,
    attempts: i64,
    first_failed_at: String,
    last_failed_at: String,
    next_attempt_at: Option<String>,
    status: String,
    payload_excerpt: String,
    replays: i64,
    replay_id: Option<Uuid>,
    resolved_at: Option<String>,
    resolved_by: Option<Uuid>,
    reason: Option<String>,
}

/// A group of them.
#[derive(Deserialize)]
struct Count {
    queue: String,
    #[serde(rename = "type")]
    type_: Option<String>,
    error_class: String,
    status: String,
    count: u64,
    oldest_failed_at: String,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
struct Replay {
    replay_id: Option<Uuid>,
    matched: u64,
    counts: Vec<Count>,
}

/// The API, and who asks it.
pub(super) struct Desk {
    api: Api,
    admin: Account,
}

/// Lists, shows, replays, discards or counts.
///
/// # Errors
/// The stack does not run, or the API refuses.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let mut desk = Desk::open(stack).await?;
    match &options.action {
        None => desk.list(&ListOptions::all(20)).await,
        Some(Action::List(options)) => desk.list(options).await,
        Some(Action::Show { id }) => desk.show(*id).await,
        Some(Action::Replay(options)) => match options.id {
            Some(id) => desk.replay_one(id).await,
            None => desk.replay(options).await,
        },
        Some(Action::Discard { id, reason }) => desk.discard(*id, reason).await,
        Some(Action::Stats { replay, follow }) => match replay {
            Some(id) if *follow => follow::until_done(&mut desk, *id).await,
            _ => desk.stats(*replay).await,
        },
    }
}

impl ListOptions {
    fn all(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// The parked of one replay.
    fn left_over(replay: Uuid) -> Self {
        Self {
            status: Some("parked".to_owned()),
            replay: Some(replay),
            ..Self::all(20)
        }
    }

    fn path(&self, limit: usize, cursor: Option<&str>) -> Result<String> {
        let (limit, replay) = (limit.to_string(), self.replay.map(|id| id.to_string()));
        let given = [
            ("queue", self.filters.queue.as_deref()),
            ("type", self.filters.type_.as_deref()),
            ("error_class", self.filters.error_class.as_deref()),
            ("status", self.status.as_deref()),
            ("replay_id", replay.as_deref()),
            ("cursor", cursor),
            ("limit", Some(limit.as_str())),
        ];
        let pairs = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        // Only what comes after the question mark is of interest.
        let url = Url::parse_with_params("http://127.0.0.1/", pairs)?;
        Ok(format!(
            "/admin/dead-letters?{}",
            url.query().unwrap_or_default()
        ))
    }
}

impl Desk {
    /// The API as the stack's admin sees it.
    ///
    /// # Errors
    /// The stack does not run.
    pub(super) async fn open(stack: &Stack) -> Result<Self> {
        let (api, admin) = Api::of_admin(stack).await?;
        Ok(Self { api, admin })
    }

    /// The same after showing the second factor.
    ///
    /// # Errors
    /// No code is taken.
    pub(super) async fn stepped_up(&self) -> Result<Self> {
        Ok(Self {
            api: self.api.step_up(&self.admin).await?,
            admin: self.admin.clone(),
        })
    }

    /// Has all replayed that are of one queue and type, as `dlq replay --queue … --type … --no-wait`
    /// does; under which id, and how many they are. To be asked with a second factor.
    ///
    /// # Errors
    /// The API refuses, or there is nothing to replay.
    pub(super) async fn replay_all(&self, queue: &str, type_: &str) -> Result<(Uuid, u64)> {
        let options = ReplayOptions {
            filters: Filters {
                queue: Some(queue.to_owned()),
                type_: Some(type_.to_owned()),
                error_class: None,
            },
            limit: LIMIT,
            ..ReplayOptions::default()
        };
        let replay = self.ask(&options).await?;
        let id = replay.replay_id.context("There is nothing to replay.")?;
        Ok((id, replay.matched))
    }

    async fn ask(&self, options: &ReplayOptions) -> Result<Replay> {
        let filters = &options.filters;
        let body = json!({
            "queue": filters.queue, "type": filters.type_, "error_class": filters.error_class,
            "limit": options.limit, "dry_run": options.dry_run,
        });
        let answer = self.api.post("/admin/dead-letters/replay", &body).await?;
        Ok(serde_json::from_value(
            answer.body("replaying dead letters")?,
        )?)
    }

    async fn list(&self, options: &ListOptions) -> Result<()> {
        let (mut letters, mut cursor) = (Vec::new(), None);
        loop {
            let wanted = options.limit.saturating_sub(letters.len()).clamp(1, PAGE);
            let path = options.path(wanted, cursor.as_deref())?;
            let body = self.api.get(&path).await?.body("listing dead letters")?;
            let page: Page<DeadLetter> = serde_json::from_value(body)?;
            letters.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() || letters.len() >= options.limit {
                break;
            }
        }
        table::letters(&letters);
        if cursor.is_some() {
            println!("there are more: --limit shows them");
        }
        Ok(())
    }

    async fn show(&self, id: Uuid) -> Result<()> {
        let path = format!("/admin/dead-letters/{id}");
        let body = self.api.get(&path).await?.body("showing the dead letter")?;
        table::letter(&serde_json::from_value(body)?);
        Ok(())
    }

    async fn stats(&self, replay: Option<Uuid>) -> Result<()> {
        table::counts(&self.counts(replay).await?);
        Ok(())
    }

    async fn counts(&self, replay: Option<Uuid>) -> Result<Vec<Count>> {
        let path = match replay {
            Some(id) => format!("/admin/dead-letters/stats?replay_id={id}"),
            None => "/admin/dead-letters/stats".to_owned(),
        };
        let body = self
            .api
            .get(&path)
            .await?
            .body("counting the dead letters")?;
        let page: Page<Count> = serde_json::from_value(body)?;
        Ok(page.items)
    }

    async fn replay_one(&self, id: Uuid) -> Result<()> {
        let api = self.api.step_up(&self.admin).await?;
        let path = format!("/admin/dead-letters/{id}/replay");
        let answer = api.post(&path, &json!({})).await?;
        table::letter(&serde_json::from_value(
            answer.body("replaying the dead letter")?,
        )?);
        Ok(())
    }

    async fn discard(&self, id: Uuid, reason: &str) -> Result<()> {
        let api = self.api.step_up(&self.admin).await?;
        let path = format!("/admin/dead-letters/{id}/discard");
        let answer = api.post(&path, &json!({"reason": reason})).await?;
        table::letter(&serde_json::from_value(
            answer.body("discarding the dead letter")?,
        )?);
        Ok(())
    }

    async fn replay(&mut self, options: &ReplayOptions) -> Result<()> {
        let filters = &options.filters;
        let chosen = filters.queue.is_some() || filters.type_.is_some();
        ensure!(
            chosen || filters.error_class.is_some() || options.all,
            "Which? Name one, choose by --queue, --type or --class, or take --all."
        );
        let replay = self.stepped_up().await?.ask(options).await?;
        table::counts(&replay.counts);
        match replay.replay_id {
            None => println!("{} would be replayed", replay.matched),
            Some(_) if replay.matched == 0 => println!("there is nothing to replay"),
            Some(id) => {
                println!("{} are replayed, also without this command", replay.matched);
                println!("how far it is: cargo holdfast dlq stats --replay {id} --follow");
                if !options.no_wait {
                    follow::until_done(self, id).await?;
                }
            }
        }
        Ok(())
    }
}
