//! The category tree, made through the API by the admin.

use std::collections::HashSet;

use anyhow::{Context, Result};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::api::Api;
use super::catalogue::Category;
use crate::steps::accounts::Account;

/// Makes the categories that are missing, parents first, and answers how many.
pub(super) async fn ensure(
    api: &Api,
    admin: &Account,
    categories: &[Category],
    step: impl Fn(),
) -> Result<u64> {
    let reading = "reading the categories";
    let tree = api
        .get("/categories")
        .await
        .context(reading)?
        .body(reading)?;
    let mut known = HashSet::new();
    collect(&tree["items"], &mut known);
    let (there, missing): (Vec<_>, Vec<_>) = categories
        .iter()
        .partition(|category| known.contains(category.slug.as_str()));
    there.iter().for_each(|_| step());
    if missing.is_empty() {
        return Ok(0);
    }
    let api = api.sign_in(admin).await?;
    let mut made = 0;
    for category in missing {
        made += u64::from(make(&api, category).await?);
        step();
    }
    Ok(made)
}

async fn make(api: &Api, category: &Category) -> Result<bool> {
    let step = format!("making the category {}", category.slug);
    let mut body = json!({"slug": category.slug, "title": category.title});
    if let Some(parent) = &category.parent {
        body["parent"] = json!(parent);
    }
    let answer = api
        .post("/categories", &body)
        .await
        .with_context(|| step.clone())?;
    // The list that was read may have been from a cache.
    if answer.status == StatusCode::CONFLICT {
        return Ok(false);
    }
    answer.body(&step).map(|_| true)
}

fn collect<'a>(items: &'a Value, slugs: &mut HashSet<&'a str>) {
    for item in items.as_array().into_iter().flatten() {
        slugs.extend(item["slug"].as_str());
        collect(&item["children"], slugs);
    }
}
