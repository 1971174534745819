//! The journal of events: having its events published again, and what was made of them.

use crate::aws;
use crate::stack::Stack;
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
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
/// their order. How many.
///
/// # Errors
/// The database does not do it.
pub async fn replay(db: &mut PgConnection, filter: &Filter) -> Result<u64> {
    let marked = sqlx::query(
        "update outbox set published_at = null, consumed_at = null, sent_again_at = null
         where occurred_at >= $1 and queue = any ($2) and (cardinality($3::text[]) = 0 or type = any ($3))",
    )
    .bind(filter.since)
    .bind(&filter.queues)
    .bind(&filter.types)
    .execute(db)
    .await?;
    Ok(marked.rows_affected())
}

/// How many of these events wait for their consumer.
///
/// # Errors
/// The database does not answer.
pub async fn waiting(db: &mut PgConnection, filter: &Filter) -> Result<i64> {
    let waiting = sqlx::query_scalar(
        "select count(*) from outbox where consumed_at is null
             and occurred_at >= $1 and queue = any ($2) and (cardinality($3::text[]) = 0 or type = any ($3))",
    )
    .bind(filter.since)
    .bind(&filter.queues)
    .bind(&filter.types)
    .fetch_one(db)
    .await?;
    Ok(waiting)
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
    let fetched = stream::iter(keys(stack, bucket).await?).map(|key| async move {
        let content = object(stack, bucket, &key).await?;
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

/// The keys of all objects in a bucket.
///
/// # Errors
/// The emulator does not answer.
pub async fn keys(stack: &Stack, bucket: &str) -> Result<Vec<String>> {
    let mut keys: Vec<String> = Vec::new();
    loop {
        let after = keys.last().map(String::as_str).unwrap_or_default();
        let query: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("list-type", "2")
            .append_pair("start-after", after)
            .finish();
        let request = aws::request(stack, Method::GET, "s3", &format!("/{bucket}?{query}"));
        let answer = request.send().await?.error_for_status()?;
        let page = answer.text().await?;
        let found = texts(&page, "Key");
        if found.is_empty() && page.contains("<IsTruncated>true") {
            bail!("The bucket {bucket} cannot be listed.");
        }
        keys.extend(found);
        if !page.contains("<IsTruncated>true") {
            return Ok(keys);
        }
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

async fn object(stack: &Stack, bucket: &str, key: &str) -> Result<Vec<u8>> {
    let request = aws::request(stack, Method::GET, "s3", &format!("/{bucket}/{key}"));
    let answer = request.send().await?.error_for_status();
    let answer = answer.with_context(|| format!("{key} cannot be read."))?;
    Ok(answer.bytes().await?.into())
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
