//! Who takes part in a drill, and what they can buy.

use super::http::{Http, send};
use anyhow::{Context, Result, bail};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

/// How somebody signs in.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
}

/// Somebody who buys, registered for this drill.
#[derive(Clone, Debug)]
pub struct Buyer {
    /// How they sign in.
    pub sign_in: SignIn,
    /// The account.
    pub id: Uuid,
    pub(super) access_token: String,
    pub(super) refresh_token: String,
}

/// Something to buy, put on sale for this drill.
#[derive(Clone, Debug)]
pub struct Stocked {
    /// What it is bought by.
    pub sku: String,
    /// Its product's page.
    pub slug: String,
    /// Units there were at first.
    pub stock: i64,
}

/// A prepared drill.
#[derive(Clone, Debug)]
pub struct Scene {
    pub(super) http: Http,
    /// Who buys.
    pub buyers: Vec<Buyer>,
    /// What they buy: plenty of most, little of the last.
    pub goods: Vec<Stocked>,
}

const PLENTY: i64 = 100_000;
const LITTLE: i64 = 12;

impl Scene {
    /// Registers `buyers` people and puts a few products on sale, through the API.
    ///
    /// # Errors
    /// The shop does not do it: a drill begins with a shop that is well.
    pub async fn prepare(api_url: &str, seller: &SignIn, buyers: usize) -> Result<Self> {
        let http = Http::new(api_url)?;
        let seller = signed_in(&http, seller).await?;
        let token = text(&seller, "access_token");
        let mut goods = Vec::new();
        for stock in [PLENTY, PLENTY, PLENTY, LITTLE] {
            goods.push(put_on_sale(&http, &token, stock).await?);
        }
        let mut people = Vec::new();
        for _ in 0..buyers {
            people.push(register(&http).await?);
        }
        Ok(Self {
            http,
            buyers: people,
            goods,
        })
    }
}

async fn signed_in(http: &Http, sign_in: &SignIn) -> Result<Value> {
    let body = json!({"email": sign_in.email, "password": sign_in.password});
    let request = http.request(Method::POST, "/auth/login", "").json(&body);
    expect(send(request).await, 200, "signing in")
}

async fn register(http: &Http) -> Result<Buyer> {
    let sign_in = SignIn {
        email: format!("{}@drill.example", Uuid::new_v4().simple()),
        password: Uuid::new_v4().to_string(),
    };
    let body = json!({"email": sign_in.email, "password": sign_in.password, "name": "Drill Buyer"});
    let request = http.request(Method::POST, "/auth/register", "").json(&body);
    expect(send(request).await, 202, "registering")?;
    let session = signed_in(http, &sign_in).await?;
    let id = session["user"]["id"]
        .as_str()
        .and_then(|id| id.parse().ok());
    Ok(Buyer {
        sign_in,
        id: id.context("a sign-in tells no id")?,
        access_token: text(&session, "access_token"),
        refresh_token: text(&session, "refresh_token"),
    })
}

async fn put_on_sale(http: &Http, token: &str, stock: i64) -> Result<Stocked> {
    let categories = send(http.request(Method::GET, "/categories", token)).await;
    let categories = expect(categories, 200, "reading the categories")?;
    let sku = format!("DRILL-{}", Uuid::new_v4().simple());
    let body = json!({
        "title": format!("Drill product {sku}"), "description": "Made by a drill.",
        "category": categories["items"][0]["slug"], "status": "active",
        "variants": [{"sku": sku, "title": "One", "options": {},
            "price": {"amount": 1999, "currency": "EUR"}}],
    });
    let request = http.request(Method::POST, "/products", token).json(&body);
    let page = expect(send(request).await, 201, "making a product")?;
    let path = format!(
        "/products/{}/variants/{sku}/stock-adjustments",
        text(&page, "id")
    );
    let request = http
        .request(Method::POST, &path, token)
        .header("idempotency-key", Uuid::new_v4().to_string())
        .json(&json!({"delta": stock, "reason": "for a drill"}));
    expect(send(request).await, 200, "adding stock")?;
    Ok(Stocked {
        sku,
        slug: text(&page, "slug"),
        stock,
    })
}

fn expect(reply: super::http::Reply, status: u16, step: &str) -> Result<Value> {
    if reply.status != status {
        bail!(
            "{step}: {} instead of {status}: {}",
            reply.status,
            reply.body
        );
    }
    Ok(reply.body)
}

pub(super) fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
