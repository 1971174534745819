//! A defect that lets messages die: customers register, and the mailer cannot make the token of
//! their verification mail. What came of it in the end is read from the database, the journal and
//! the mails that were sent; like the checker this shares no code with the shop.

use super::http::send;
use super::scene::Scene;
use crate::smtp;
use crate::stack::{Port, Stack};
use anyhow::{Context, Result, bail, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::collections::HashMap;
use std::fs;
use uuid::Uuid;

/// Whose mail the defect keeps back: nobody else has such an address.
const DOMAIN: &str = "letters.drill.example";

/// Registrations at once.
const AT_ONCE: usize = 4;

/// The type of these events.
pub const TYPE: &str = "account_registered";

/// The queue that they die in.
pub const QUEUE: &str = "mail";

/// The messages of a drill.
#[derive(Clone, Debug)]
pub struct Letters {
    /// Those that work once the defect is mended.
    pub good: Vec<Letter>,
    /// The events that can never work.
    pub poison: Vec<Uuid>,
}

/// A verification mail that somebody waits for.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Letter {
    /// The event that calls for it.
    pub event_id: Uuid,
    /// Who registered.
    pub user_id: Uuid,
    /// Their address.
    pub email: String,
}

/// How many of a drill's messages are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Standing {
    /// Kept, and nobody tries again.
    pub parked: i64,
    /// Processed after all.
    pub replayed: i64,
}

/// Brings the defect about, as a migration that went wrong would: from now on the mailer's
/// statement fails for these accounts, and for no other.
///
/// # Errors
/// The database does not do it.
pub async fn break_mailer(db: &mut PgConnection) -> Result<()> {
    sqlx::query(
        "create or replace function drill_defect() returns trigger
             language plpgsql security definer set search_path = public as $$
         begin
             if exists (select from users where id = new.user_id and email like '%@letters.drill.example') then
                 raise exception 'a defect of the drill: no token is made for this account';
             end if;
             return new;
         end $$",
    )
    .execute(&mut *db)
    .await?;
    sqlx::query(
        "create or replace trigger drill_defect before insert on mail_tokens
             for each row execute function drill_defect()",
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Mends the defect. Without one it does nothing.
///
/// # Errors
/// The database does not do it.
pub async fn mend_mailer(db: &mut PgConnection) -> Result<()> {
    sqlx::query("drop trigger if exists drill_defect on mail_tokens")
        .execute(&mut *db)
        .await?;
    sqlx::query("drop function if exists drill_defect()")
        .execute(db)
        .await?;
    Ok(())
}

impl Letters {
    /// Registers people through the API, each of whom is owed a mail, and adds events that no
    /// release will ever understand, of which the sweeper sends each to its queue.
    ///
    /// # Errors
    /// The shop does not register them.
    pub async fn write(
        scene: &Scene,
        db: &mut PgConnection,
        (good, poison): (usize, usize),
    ) -> Result<Self> {
        let emails: Vec<String> = (0..good)
            .map(|_| format!("{}@{DOMAIN}", Uuid::new_v4().simple()))
            .collect();
        stream::iter(&emails)
            .map(|email| register(scene, email))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        let letters = Self {
            good: registered(db, &emails).await?,
            poison: add_poison(db, poison).await?,
        };
        let events = letters.good.len();
        ensure!(
            events == good,
            "{good} people registered, and the journal has {events} events of it."
        );
        Ok(letters)
    }

    /// The ids of all events.
    pub fn events(&self) -> Vec<Uuid> {
        let good = self.good.iter().map(|letter| letter.event_id);
        good.chain(self.poison.iter().copied()).collect()
    }

    /// How many of them are where.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn standing(&self, db: &mut PgConnection) -> Result<Standing> {
        let standing = sqlx::query_as(
            "select count(*) filter (where status = 'parked') as parked,
                 count(*) filter (where status = 'replayed') as replayed
             from failed_events
             where queue = 'mail' and event_id = any ($1)",
        )
        .bind(self.events())
        .fetch_one(db)
        .await?;
        Ok(standing)
    }

    /// Every rule that was broken, in words: each good one had its effect exactly once, and each
    /// of the others is parked and says why.
    ///
    /// # Errors
    /// The database or the mails cannot be read, which says nothing about the rules.
    pub async fn check(&self, stack: &Stack, db: &mut PgConnection) -> Result<Vec<String>> {
        let mut broken = check_effects(db, &self.good).await?;
        broken.extend(check_mails(stack, &self.good).await?);
        broken.extend(check_poison(db, &self.poison).await?);
        Ok(broken)
    }
}

/// A lost answer would leave an account of which nobody knows whether it is there, so it is not
/// tried again: a drill begins with a shop that is well.
async fn register(scene: &Scene, email: &str) -> Result<()> {
    let password = Uuid::new_v4().to_string();
    let body = json!({"email": email, "password": password, "name": "Drill Reader"});
    let request = scene.http.request(Method::POST, "/auth/register", "");
    let reply = send(request.json(&body)).await;
    if reply.status != 202 {
        bail!(
            "registering: {} instead of 202: {}",
            reply.status,
            reply.body
        );
    }
    Ok(())
}

async fn registered(db: &mut PgConnection, emails: &[String]) -> Result<Vec<Letter>> {
    let letters = sqlx::query_as(
        "select e.event_id, u.id as user_id, u.email from users u
         join outbox e on e.aggregate_id = u.id and e.queue = 'mail' and e.type = 'account_registered'
         where u.email = any ($1)",
    )
    .bind(emails)
    .fetch_all(db)
    .await?;
    Ok(letters)
}

async fn add_poison(db: &mut PgConnection, count: usize) -> Result<Vec<Uuid>> {
    let added = sqlx::query_scalar(
        "insert into outbox (event_id, queue, type, version, aggregate_id, sequence, payload)
         select gen_random_uuid(), 'mail', 'account_registered', 1, gen_random_uuid(), 1,
             jsonb_build_object('type', 'account_framed')
         from generate_series(1, $1::integer) returning event_id",
    )
    .bind(i32::try_from(count)?)
    .fetch_all(db)
    .await?;
    Ok(added)
}

/// One token each, which the mailer makes for the one mail, and the note of the consumer.
async fn check_effects(db: &mut PgConnection, good: &[Letter]) -> Result<Vec<String>> {
    let events: Vec<Uuid> = good.iter().map(|letter| letter.event_id).collect();
    let wrong: Vec<(Uuid, i64, i64, bool)> = sqlx::query_as(
        "select e.event_id, (select count(*) from mail_tokens t where t.user_id = e.aggregate_id),
             (select count(*) from inbox i where i.event_id = e.event_id), e.consumed_at is not null
         from outbox e where e.queue = 'mail' and e.event_id = any ($1)",
    )
    .bind(&events)
    .fetch_all(&mut *db)
    .await?;
    let words = |(event, tokens, effects, noted): (Uuid, i64, i64, bool)| {
        let words = format!(
            "event {event} made {tokens} tokens, {effects} effects are written down, and the \
             journal says that it was {}",
            if noted { "handled" } else { "not handled" }
        );
        ((tokens, effects, noted) != (1, 1, true)).then_some(words)
    };
    let mut broken: Vec<String> = wrong.into_iter().filter_map(words).collect();
    let open: Vec<(Uuid, String)> = sqlx::query_as(
        "select event_id, status from failed_events
         where queue = 'mail' and event_id = any ($1) and status <> 'replayed'",
    )
    .bind(&events)
    .fetch_all(db)
    .await?;
    let words = |(event, status): (Uuid, String)| format!("event {event} is {status}");
    broken.extend(open.into_iter().map(words));
    Ok(broken)
}

/// One mail each, by whichever provider.
async fn check_mails(stack: &Stack, good: &[Letter]) -> Result<Vec<String>> {
    let by_address = mails_of_ses(stack).await?;
    let by_event = mails_of_sink(stack)?;
    let words = |letter: &Letter| {
        let (event, email) = (letter.event_id, letter.email.as_str());
        let of_ses = by_address.get(email).copied().unwrap_or_default();
        let of_sink = by_event.get(&event.to_string()).copied();
        let mails = of_ses + of_sink.unwrap_or_default();
        (mails != 1).then(|| format!("event {event}: {mails} mails were sent"))
    };
    Ok(good.iter().filter_map(words).collect())
}

async fn mails_of_ses(stack: &Stack) -> Result<HashMap<String, usize>> {
    let url = format!("{}/_ministack/ses/messages", stack.url(Port::Aws));
    let page = reqwest::get(url).await?.error_for_status()?;
    let page: Value = page.json().await?;
    let senders = page["messages"].as_object().context("no list of mails")?;
    let mails = senders.values().filter_map(Value::as_array).flatten();
    let mut count = HashMap::new();
    for to in mails.filter_map(|mail| mail["To"].as_array()).flatten() {
        let address = to.as_str().unwrap_or_default().to_owned();
        *count.entry(address).or_default() += 1;
    }
    Ok(count)
}

/// By the event's id, which is written into each.
fn mails_of_sink(stack: &Stack) -> Result<HashMap<String, usize>> {
    let mut count = HashMap::new();
    let folder = smtp::mailbox(stack).join("new");
    if !folder.exists() {
        return Ok(count);
    }
    for file in fs::read_dir(folder)? {
        let mail = fs::read(file?.path())?;
        let mail = String::from_utf8_lossy(&mail).to_ascii_lowercase();
        let event = mail
            .lines()
            .find_map(|line| line.strip_prefix("x-event-id:"));
        if let Some(event) = event {
            *count.entry(event.trim().to_owned()).or_default() += 1;
        }
    }
    Ok(count)
}

/// Parked, with a reason, and without any effect.
async fn check_poison(db: &mut PgConnection, poison: &[Uuid]) -> Result<Vec<String>> {
    let parked: Vec<Uuid> = sqlx::query_scalar(
        "select f.event_id from failed_events f
         where f.queue = 'mail' and f.event_id = any ($1) and f.status = 'parked'
             and f.error_class = 'unknown_event' and f.error <> ''
             and not exists (select from inbox i where i.event_id = f.event_id)",
    )
    .bind(poison)
    .fetch_all(db)
    .await?;
    let lost = poison.iter().filter(|event| !parked.contains(event));
    let words = |event: &Uuid| format!("poison {event} is not parked with its reason");
    Ok(lost.map(words).collect())
}
