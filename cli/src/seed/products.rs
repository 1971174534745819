//! The products, made through the API by the seller: page, stock, pictures, in
//! this order, so that a product with all its pictures is complete.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Account;
use super::api::Api;
use super::catalogue::{Product, Variant};
use super::picture::Motifs;
use super::upload;

/// Products that are worked on at the same time.
const CONCURRENCY: usize = 8;
const CURRENCY: &str = "EUR";

/// What the shop already has: pages of products by each of their SKUs.
type Shop = HashMap<String, Value>;

/// Makes what is missing and answers how many products and pictures.
pub(super) async fn ensure(
    api: &Api,
    seller: &Account,
    products: Vec<Product>,
    step: impl Fn(),
) -> Result<(u64, u64)> {
    let shop = read_shop(api, "").await?;
    let is_complete = |product: &Product| {
        page_of(&shop, product).is_some_and(|page| missing(product, page).next().is_none())
    };
    let (there, missing): (Vec<_>, Vec<_>) = products.into_iter().partition(is_complete);
    there.iter().for_each(|_| step());
    if missing.is_empty() {
        return Ok((0, 0));
    }
    let api = api.sign_in(seller).await?;
    let motifs = Arc::new(Motifs::read()?);
    stream::iter(&missing)
        .map(|product| complete(&api, &motifs, product, page_of(&shop, product)))
        .buffer_unordered(CONCURRENCY)
        .inspect_ok(|_| step())
        .try_fold((0, 0), async |sum: (u64, u64), added| {
            Ok((sum.0 + added.0, sum.1 + added.1))
        })
        .await
}

async fn complete(
    api: &Api,
    motifs: &Arc<Motifs>,
    product: &Product,
    listed: Option<&Value>,
) -> Result<(u64, u64)> {
    let (page, made) = match listed {
        Some(page) => (read_again(api, page).await?, 0),
        None => make(api, product).await?,
    };
    let id = page["id"]
        .as_str()
        .with_context(|| format!("{}: no id", product.title))?;
    for variant in product
        .variants
        .iter()
        .filter(|variant| is_unstocked(variant, &page))
    {
        stock(api, id, variant).await?;
    }
    let mut pictures = 0;
    for picture in missing(product, &page) {
        upload::picture(api, motifs, id, picture).await?;
        pictures += 1;
    }
    Ok((made, pictures))
}

async fn make(api: &Api, product: &Product) -> Result<(Value, u64)> {
    let step = format!("making the product {}", product.title);
    let variant = |variant: &Variant| {
        json!({
            "sku": variant.sku,
            "title": variant.title,
            "options": variant.options,
            "price": {"amount": variant.price_minor, "currency": CURRENCY},
        })
    };
    let body = json!({
        "title": product.title,
        "description": product.description,
        "category": product.category,
        "status": "active",
        "variants": product.variants.iter().map(variant).collect::<Vec<_>>(),
    });
    let answer = api
        .post("/products", &body)
        .await
        .with_context(|| step.clone())?;
    if answer.status != StatusCode::CONFLICT {
        return Ok((answer.body(&step)?, 1));
    }
    // It is there already: the first list was from a cache, or an answer was lost.
    let shop = read_shop(api, &format!("&category={}", product.category)).await?;
    match page_of(&shop, product) {
        Some(page) => Ok((read_again(api, page).await?, 0)),
        None => answer.body(&step).map(|page| (page, 0)),
    }
}

async fn stock(api: &Api, id: &str, variant: &Variant) -> Result<()> {
    let sku = &variant.sku;
    let step = format!("stocking {sku}");
    let path = format!("/products/{id}/variants/{sku}/stock-adjustments");
    let body = json!({"delta": variant.stock, "reason": "First delivery"});
    let key = format!("sample-stock-{sku}");
    let answer = api
        .post_once(&path, &key, &body)
        .await
        .with_context(|| step.clone())?;
    answer.body(&step).map(drop)
}

/// Lists may be some seconds old, which would give a product a picture twice.
async fn read_again(api: &Api, page: &Value) -> Result<Value> {
    let id = page["id"].as_str().unwrap_or_default();
    let step = format!("reading the product {id}");
    api.get(&format!("/products/{id}"))
        .await
        .with_context(|| step.clone())?
        .body(&step)
}

async fn read_shop(api: &Api, filter: &str) -> Result<Shop> {
    let step = "listing the products";
    let mut shop = Shop::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/products?limit=100{filter}{cursor}");
        let mut list = api.get(&path).await.context(step)?.body(step)?;
        for page in list["items"]
            .as_array_mut()
            .into_iter()
            .flatten()
            .map(Value::take)
        {
            let skus: Vec<String> = skus(&page).map(str::to_owned).collect();
            shop.extend(skus.into_iter().map(|sku| (sku, page.clone())));
        }
        match list["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(shop),
        }
    }
}

fn page_of<'a>(shop: &'a Shop, product: &Product) -> Option<&'a Value> {
    product
        .variants
        .iter()
        .find_map(|variant| shop.get(&variant.sku))
}

fn skus(page: &Value) -> impl Iterator<Item = &str> {
    let variants = page["variants"].as_array().into_iter().flatten();
    variants.filter_map(|variant| variant["sku"].as_str())
}

/// The pictures that a product lacks, told apart by what they show.
fn missing<'a>(
    product: &'a Product,
    page: &Value,
) -> impl Iterator<Item = &'a super::catalogue::Picture> {
    let images = page["images"].as_array().cloned().unwrap_or_default();
    product.pictures.iter().filter(move |picture| {
        images
            .iter()
            .all(|image| image["alt"] != picture.alt.as_str())
    })
}

fn is_unstocked(variant: &Variant, page: &Value) -> bool {
    let variants = page["variants"].as_array().into_iter().flatten();
    let mut same = variants.filter(|listed| listed["sku"] == variant.sku.as_str());
    variant.stock > 0 && same.all(|listed| listed["available"].as_i64().unwrap_or(0) == 0)
}
