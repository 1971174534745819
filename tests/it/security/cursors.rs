//! Cursors that were tampered with, and those of other lists and other people.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use serde_json::{Value, json};
use tests::client::{Answer, Client};
use tests::shop::{Shop, eur, new_key};
use uuid::Uuid;

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// Lists with more than one page: the path with what may be filtered, and who may read it.
struct Lists {
    somebody: Client,
    admin: Client,
    /// A path without its cursor, whose list it is, and the cursor of the second page.
    all: Vec<(&'static str, bool, String)>,
}

const PATHS: &[(&str, bool)] = &[
    ("/products?limit=2", false),
    ("/products?limit=2&sort=name", false),
    ("/products?limit=2&sort=price_asc", false),
    ("/products?limit=2&sort=price_desc", false),
    ("/products?limit=2&q=mug", false),
    ("/wallet?limit=1", false),
    ("/auth/sessions?limit=1", false),
    ("/payment-methods?limit=1", false),
    ("/orders?limit=1", true),
    ("/admin/audit?limit=1", true),
];

impl Lists {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let (somebody, credentials) = shop.newcomer_with_credentials().await;
        for _ in 0..2 {
            let user = somebody.get("/auth/me").await.expect(200).body["id"].clone();
            let credit = format!("/wallets/{}/credits", user.as_str().unwrap());
            let body = json!({"amount": eur(100), "reason": "welcome"});
            let _ = shop
                .admin
                .post_once(&credit, &new_key(), &body)
                .await
                .expect(201);
            let _ = somebody
                .post("/payment-methods", json!({"token": "pm_card_visa"}))
                .await;
            let _ = Client::anonymous(&shop.api_url)
                .post("/auth/login", credentials.clone())
                .await
                .expect(200);
        }
        let sku = shop.product(1000, 5).await;
        let _ = (shop.buy_one(&sku).await, shop.buy_one(&sku).await);
        let mut lists = Self {
            somebody,
            admin: shop.admin,
            all: Vec::new(),
        };
        for (path, is_admins) in PATHS {
            let page = lists.reader(*is_admins).get(path).await.expect(200);
            if let Some(cursor) = page.body["next_cursor"].as_str() {
                lists.all.push((path, *is_admins, cursor.to_owned()));
            }
        }
        assert!(lists.all.len() >= 8, "{:?}", lists.all);
        lists
    }

    const fn reader(&self, is_admins: bool) -> &Client {
        if is_admins {
            &self.admin
        } else {
            &self.somebody
        }
    }

    async fn read(&self, (path, is_admins, _): &(&str, bool, String), cursor: &str) -> Answer {
        self.reader(*is_admins)
            .get(&format!("{path}&cursor={cursor}"))
            .await
    }
}

/// 400 `invalid-cursor`, or a page of the same list.
fn is_honest(answer: &Answer) -> bool {
    match answer.status.as_u16() {
        400 => answer.problem() == "invalid-cursor",
        200 => answer.body["items"].is_array() || answer.body["entries"].is_array(),
        _ => false,
    }
}

/// A cursor cut at every third letter, and with every third letter replaced.
fn tampered(cursor: &str) -> Vec<String> {
    let cut = (0..cursor.len())
        .step_by(3)
        .map(|end| cursor[..end].to_owned());
    let other = |at: usize| {
        if cursor[at..].starts_with('Q') {
            "g"
        } else {
            "Q"
        }
    };
    let flipped = (0..cursor.len())
        .step_by(3)
        .map(|at| format!("{}{}{}", &cursor[..at], other(at), &cursor[at + 1..]));
    cut.filter(|cursor| !cursor.is_empty())
        .chain(flipped)
        .collect()
}

/// Every number and text of a position, replaced by what is at or beyond its bounds.
fn bent(cursor: &str) -> Vec<String> {
    let position: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    let extremes = [
        json!(i64::MIN),
        json!(i64::MAX),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(1e308),
        json!(-1e308),
        json!(-300_000_000_000_000_000_i64),
        json!("\0"),
        json!("x".repeat(5_000)),
        json!(null),
        json!({}),
        json!([]),
        json!(Uuid::max()),
        json!("' or 1=1 --"),
    ];
    let mut places = vec![String::new()];
    find_leaves(&position, String::new(), &mut places);
    let bent = places.iter().flat_map(|pointer| {
        extremes.iter().map(|value| {
            let mut position = position.clone();
            *position.pointer_mut(pointer).unwrap() = value.clone();
            URL_SAFE_NO_PAD.encode(position.to_string())
        })
    });
    bent.collect()
}

fn find_leaves(value: &Value, pointer: String, found: &mut Vec<String>) {
    let Some(members) = value.as_object() else {
        return found.push(pointer);
    };
    for (name, member) in members {
        find_leaves(member, format!("{pointer}/{name}"), found);
    }
}

#[tokio::test]
async fn tampered_cursor_is_refused_or_gives_an_honest_page() {
    let lists = Lists::open().await;
    let cases = lists.all.iter().flat_map(|list| {
        let cursors = tampered(&list.2).into_iter().chain(bent(&list.2));
        cursors.map(move |cursor| (list, cursor))
    });
    let tried = futures::stream::iter(cases).map(async |(list, cursor)| {
        let answer = lists.read(list, &cursor).await;
        let shown = URL_SAFE_NO_PAD.decode(&cursor).unwrap_or_default();
        let shown = String::from_utf8_lossy(&shown).into_owned();
        (!is_honest(&answer))
            .then(|| format!("{}: {} {} {shown}", list.0, answer.status, answer.body))
    });
    let faults: Vec<Option<String>> = tried.buffer_unordered(AT_ONCE).collect().await;
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[tokio::test]
async fn cursor_of_another_list_or_person_shows_nothing_that_is_not_the_readers() {
    let lists = Lists::open().await;
    let stranger = Shop::open().await.newcomer().await;
    for (path, _, cursor) in &lists.all {
        for list in &lists.all {
            let answer = lists.read(list, cursor).await;
            assert!(
                is_honest(&answer),
                "{path}'s cursor for {}: {answer:?}",
                list.0
            );
        }
    }
    for (path, is_admins, cursor) in &lists.all {
        // Everybody's, and nobody's but the admins', which is tried for every route.
        if path.starts_with("/products") || path.starts_with("/admin") {
            continue;
        }
        let answer = stranger.get(&format!("{path}&cursor={cursor}")).await;
        assert!(is_honest(&answer), "{path}: {answer:?}");
        let items = answer.body["items"]
            .as_array()
            .or(answer.body["entries"].as_array());
        let shown: Vec<&Value> = items.into_iter().flatten().collect();
        assert!(
            shown.is_empty() || answer.status == 400,
            "{path}, {is_admins}: {shown:?}"
        );
    }
}
