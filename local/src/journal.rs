//! The journal of events: having its events published again, and what was made of them.

use crate::aws;
use crate::stack::{Port, Stack};
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Client, Method, Response};
use sqlx::PgConnection;
use std::collections::BTreeMap;
use time::OffsetDateTime;
use uuid::Uuid;

/// Fetches at once.
const FETCHES: usize = 16;

/// Which events.
#[derive(Clone, Debug)]
pub struct Filter {
    /// From here on.
    pub since: OffsetDateTime,
    /// Of these types; of all when there are none.
    pub types: Vec<String>,
    /// To these queues.
    pub queues: Vec<String>,
}

/// Marks events as not published and not handled, so that whoever publishes sends them again, in
/// their order. How many. What somebody discarded stays as it is.
///
/// # Errors
/// The database does not do it.
pub async fn replay(db: &mut PgConnection, filter: &Filter) -> Result<u64> {
    let marked = sqlx::query(
        "update outbox set published_at = null, consumed_at = null, sent_again_at = null
         where occurred_at >= $1 and queue = any ($2) and (cardinality($3::text[]) = 0 or type = any ($3))
             and not exists (
                 select from failed_events letter
                 where letter.queue = outbox.queue and letter.event_id = outbox.event_id
                     and letter.status = 'discarded' and letter.error_class <> 'event_id_reused')",
    )
    .bind(filter.since)
    .bind(&filter.queues)
    .bind(&filter.types)
    .execute(db)
    .await?;
    Ok(marked.rows_affected())
}

/// How many of these events wait for their consumer, and not for somebody to decide about them.
///
/// # Errors
/// The database does not answer.
pub async fn waiting(db: &mut PgConnection, filter: &Filter) -> Result<i64> {
    let waiting = sqlx::query_scalar(
        "select count(*) from outbox where consumed_at is null
             and occurred_at >= $1 and queue = any ($2) and (cardinality($3::text[]) = 0 or type = any ($3))
             and not exists (
                 select from failed_events letter
                 where letter.queue = outbox.queue and letter.event_id = outbox.event_id
                     and letter.status in ('parked', 'discarded') and letter.error_class <> 'event_id_reused')",
    )
    .bind(filter.since)
    .bind(&filter.queues)
    .bind(&filter.types)
    .fetch_one(db)
    .await?;
    Ok(waiting)
}

/// What is kept of the shop that these events do not tell of, in words: removed, they would not make
/// it again. Nothing when they tell of all.
///
/// # Errors
/// The database does not answer.
pub async fn untold(db: &mut PgConnection, since: OffsetDateTime) -> Result<Vec<String>> {
    let (products, wholes, bought): (i64, i64, i64) = sqlx::query_as(
        "select
             (select count(*) from products p where p.status = 'active' and not exists (
                 select from outbox e where e.aggregate_id = p.id and e.queue = 'catalogue'
                     and e.type = 'product_changed' and e.occurred_at >= $1)),
             (select count(*) from (values ('categories_changed'), ('rates_changed')) as whole (type)
                 where not exists (
                     select from outbox e where e.queue = 'catalogue' and e.type = whole.type
                         and e.occurred_at >= $1)),
             (select count(*) from recommendations r where cardinality(r.also_bought) > 0 and not exists (
                 select from order_lines l join outbox e on e.aggregate_id = l.order_id
                 where l.product_id = r.product_id and e.queue = 'analytics'
                     and e.type = 'order_paid' and e.occurred_at >= $1))",
    )
    .bind(since)
    .fetch_one(db)
    .await?;
    let untold = [
        (products, "products on sale"),
        (wholes, "of categories and rates"),
        (bought, "products that were bought together with others"),
    ];
    let untold = untold.into_iter().filter(|(count, _)| *count > 0);
    Ok(untold
        .map(|(count, what)| format!("{count} {what}"))
        .collect())
}

/// Removes everything that the projector makes of the journal, but for the objects in `keep`; how
/// many objects they were. Safe to repeat.
///
/// # Errors
/// The emulator or the database does not answer; a part may be removed.
pub async fn clear(
    stack: &Stack,
    bucket: &str,
    db: &mut PgConnection,
    keep: &[&str],
) -> Result<usize> {
    let bucket = &Bucket::of(stack, bucket);
    let mut keys = bucket.keys().await?;
    keys.retain(|key| !keep.contains(&key.as_str()));
    let removed = keys.len();
    stream::iter(keys)
        .map(|key| async move { bucket.remove(&key).await })
        .buffer_unordered(FETCHES)
        .try_collect::<()>()
        .await?;
    sqlx::query("delete from recommendations")
        .execute(db)
        .await?;
    Ok(removed)
}

/// Everything that the projector makes of the journal: the objects in the last-good catalogue's
/// bucket by their keys, and what was bought together by product.
///
/// # Errors
/// The emulator or the database does not answer.
pub async fn read_models(
    stack: &Stack,
    bucket: &str,
    db: &mut PgConnection,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let bucket = &Bucket::of(stack, bucket);
    let fetched = stream::iter(bucket.keys().await?).map(|key| async move {
        let content = bucket.object(&key).await?;
        anyhow::Ok((key, content))
    });
    let mut models: BTreeMap<String, Vec<u8>> =
        fetched.buffer_unordered(FETCHES).try_collect().await?;
    let bought: Vec<(Uuid, Vec<Uuid>)> = sqlx::query_as(
        "select product_id, also_bought from recommendations where cardinality(also_bought) > 0",
    )
    .fetch_all(db)
    .await?;
    for (product, others) in bought {
        let others = serde_json::to_vec(&others)?;
        models.insert(format!("recommendations/{product}"), others);
    }
    Ok(models)
}

/// A bucket, as the account's root sees it.
pub struct Bucket {
    client: Client,
    url: String,
}

impl Bucket {
    /// The bucket of this name.
    pub fn of(stack: &Stack, name: &str) -> Self {
        Self {
            client: Client::new(),
            url: format!("{}/{name}", stack.url(Port::Aws)),
        }
    }

    /// The keys of all objects in it.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub async fn keys(&self) -> Result<Vec<String>> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let after = keys.last().map(String::as_str).unwrap_or_default();
            let query: String = form_urlencoded::Serializer::new(String::new())
                .append_pair("list-type", "2")
                .append_pair("start-after", after)
                .finish();
            let page = self.get(&format!("?{query}")).await?.text().await?;
            let found = texts(&page, "Key");
            let is_last = !page.contains("<IsTruncated>true");
            if found.is_empty() && !is_last {
                bail!("{} cannot be listed.", self.url);
            }
            keys.extend(found);
            if is_last {
                return Ok(keys);
            }
        }
    }

    async fn object(&self, key: &str) -> Result<Vec<u8>> {
        let answer = self.get(&format!("/{key}")).await;
        let answer = answer.with_context(|| format!("{key} cannot be read."))?;
        Ok(answer.bytes().await?.into())
    }

    async fn remove(&self, key: &str) -> Result<()> {
        let answer = self.ask(Method::DELETE, &format!("/{key}")).await;
        answer.with_context(|| format!("{key} cannot be removed."))?;
        Ok(())
    }

    async fn get(&self, path: &str) -> reqwest::Result<Response> {
        self.ask(Method::GET, path).await
    }

    async fn ask(&self, method: Method, path: &str) -> reqwest::Result<Response> {
        let request = self.client.request(method, format!("{}{path}", self.url));
        let request = request.header("authorization", aws::identity("s3"));
        request.send().await?.error_for_status()
    }
}

/// What stands in every element of this name. Our keys have nothing that XML would escape.
fn texts(page: &str, name: &str) -> Vec<String> {
    let (begin, end) = (format!("<{name}>"), format!("</{name}>"));
    let parts = page.split(&begin).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(&end)?.0.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_a_page() {
        let page = "<Contents><Key>a/b.json</Key></Contents><Contents><Key>c.json</Key></Contents>";
        assert_eq!(texts(page, "Key"), ["a/b.json", "c.json"]);
        assert!(texts("<KeyCount>0</KeyCount>", "Key").is_empty());
    }
}
