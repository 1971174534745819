//! Every page and form of the console, by everybody.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use shared::providers::signing::PrivateKey;
use shared::state::{AppState, Ops};
use tests::Stack;
use tests::client::{Answer, read};
use tests::contract::ID;
use tests::shop::Shop;
use tests::state::Changed;
use uuid::Uuid;

use super::browser::{Browser, FORMS, Person, location};
use crate::security::tokens::Keys;
use crate::tidy::read as source;

/// What one needs for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    Admin,
    SecondFactor,
}
use Needs::{Admin, Nothing, SecondFactor};

/// Every route of the console and its sign-in. What stands in a form can be read; whether it is also
/// good is nobody's to learn who may not send it, so some of them lack a reason.
#[rustfmt::skip] // A table is read by the row.
const ROUTES: &[(&str, &str, Needs, &str)] = &[
    ("GET",  "/console/assets/{file}",                Nothing,      ""),
    ("GET",  "/console/sign-in",                      Nothing,      ""),
    ("GET",  "/console/step-up",                      Admin,        ""),
    ("GET",  "/console/",                             Admin,        ""),
    ("GET",  "/console/switches",                     Admin,        ""),
    ("GET",  "/console/switches/{flag}",              SecondFactor, ""),
    ("POST", "/console/switches/{flag}",              SecondFactor, "enabled=true&reason="),
    ("GET",  "/console/breakers/{dependency}",        SecondFactor, ""),
    ("POST", "/console/breakers/{dependency}",        SecondFactor, "state=auto&reason="),
    ("GET",  "/console/dead-letters",                 Admin,        ""),
    ("GET",  "/console/dead-letters/replay",          SecondFactor, ""),
    ("POST", "/console/dead-letters/replay",          SecondFactor, "limit=0"),
    ("GET",  "/console/dead-letters/{id}",            Admin,        ""),
    ("GET",  "/console/dead-letters/{id}/replay",     SecondFactor, ""),
    ("POST", "/console/dead-letters/{id}/replay",     SecondFactor, ""),
    ("GET",  "/console/dead-letters/{id}/discard",    SecondFactor, ""),
    ("POST", "/console/dead-letters/{id}/discard",    SecondFactor, "reason="),
    ("GET",  "/console/jobs/{name}",                  Admin,        ""),
    ("GET",  "/console/orders",                       Admin,        ""),
    ("GET",  "/console/orders/{id}",                  Admin,        ""),
    ("POST", "/api/v1/auth/console/sign-in",          Nothing,      "email=a%40b.example&password=wrong"),
    ("GET",  "/api/v1/auth/console/renew",            Nothing,      ""),
    ("POST", "/api/v1/auth/console/step-up",          Admin,        "code=000000"),
    ("POST", "/api/v1/auth/console/sign-out",         Nothing,      ""),
];

/// Method and path of every `.route(…)` in a file.
fn routes_in(text: &str, below: &str) -> BTreeSet<(&'static str, String)> {
    let mut found = BTreeSet::new();
    for route in text.split(".route(").skip(1) {
        // The rest of the file is behind the last one.
        let route = route.split(';').next().unwrap();
        let path = route.split('"').nth(1).unwrap();
        for (word, method) in [("get(", "GET"), ("post(", "POST")] {
            if route.contains(word) {
                found.insert((method, format!("{below}{path}")));
            }
        }
    }
    found
}

#[test]
fn every_route_stands_in_the_table() {
    let mut routes = routes_in(&source("functions/ops/src/console.rs"), "/console");
    routes.extend(routes_in(&source("functions/auth/src/console.rs"), FORMS));
    assert!(
        routes.len() >= 13,
        "only {} routes were found",
        routes.len()
    );
    let has_row = |method: &str, path: &str| {
        let mut rows = ROUTES.iter();
        rows.any(|row| (row.0, row.1) == (method, path))
    };
    let missing: Vec<_> = routes
        .iter()
        .filter(|(method, path)| !has_row(method, path))
        .collect();
    assert!(missing.is_empty(), "ROUTES has no row for {missing:?}");
}

#[test]
fn routes_are_found_in_every_spelling() {
    let text = r#".route("/a", get(x)).route(
        "/b/{id}",
        get(y).post(z),
    ).route("/c", post(w));
    headers.get("host")"#;
    let found = routes_in(text, "/console");
    let expected = [
        ("GET", "/console/a"),
        ("GET", "/console/b/{id}"),
        ("POST", "/console/b/{id}"),
        ("POST", "/console/c"),
    ];
    let expected = expected.map(|(method, path)| (method, path.to_owned()));
    assert_eq!(found, BTreeSet::from(expected));
}

/// Who looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    SignedOut,
    Forged,
    Expired,
    Customer,
    Seller,
    Admin,
    SteppedUp,
}

impl Who {
    const ALL: [Self; 7] = [
        Self::SignedOut,
        Self::Forged,
        Self::Expired,
        Self::Customer,
        Self::Seller,
        Self::Admin,
        Self::SteppedUp,
    ];

    fn token(self, keys: &Keys) -> Option<String> {
        let role = match self {
            Self::SignedOut => return None,
            Self::Customer => "customer",
            Self::Seller => "seller",
            _ => "admin",
        };
        let mut claims = keys.claims(&Uuid::now_v7().to_string(), role);
        let now = claims["iat"].as_i64().unwrap();
        if self != Self::Admin {
            claims["step_up_until"] = json!(now + 900);
        }
        match self {
            Self::Forged => {
                let other = serde_json::to_value(PrivateKey::generate().unwrap()).unwrap();
                return Some(Keys::sign_with(&other, &claims));
            }
            Self::Expired => claims["exp"] = json!(now - 60),
            _ => {}
        }
        Some(keys.sign(&claims))
    }

    fn browser(self, stack: &Stack, keys: &Keys) -> Browser {
        let browser = Browser::at(&stack.api_url);
        match self.token(keys) {
            Some(token) => browser.with_token(&token),
            None => browser,
        }
    }

    /// What is wrong with the answer to a page or a form, if anything is.
    fn fault(self, needs: Needs, answer: &Answer) -> Option<&'static str> {
        let status = answer.status.as_u16();
        let leads_to = |path: &str| status == 303 && answer.header("location").starts_with(path);
        let is_good = match (needs, self) {
            (Nothing, _) => [200, 303].contains(&status),
            (_, Self::SignedOut | Self::Forged | Self::Expired) => {
                leads_to(&format!("{FORMS}/renew?to=%2Fconsole"))
            }
            (_, Self::Customer | Self::Seller) => status == 403,
            (SecondFactor, Self::Admin) => leads_to("/console/step-up?to=%2Fconsole"),
            // What it is about need not be there.
            (_, Self::Admin | Self::SteppedUp) => [200, 404].contains(&status),
        };
        (!is_good).then_some("may not be answered so")
    }
}

fn filled(path: &str) -> String {
    path.replace("{file}", "console.css")
        .replace("{flag}", "search")
        .replace("{dependency}", "payments")
        .replace("{id}", ID)
        .trim_end_matches('/')
        .to_owned()
}

#[tokio::test]
async fn pages_are_for_admins_and_forms_for_admins_with_a_second_factor() {
    let stack = Stack::running();
    let keys = Keys::of(&stack).await;
    let mut faults = Vec::new();
    for (method, path, needs, form) in ROUTES.iter().filter(|row| row.1.starts_with("/console")) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for who in Who::ALL {
            // Those who may are left to the tests of what the form does.
            if method == Method::POST && who == Who::SteppedUp {
                continue;
            }
            let mut browser = who.browser(&stack, &keys);
            let mut request = browser.request(&method, &filled(path));
            if method == Method::POST {
                request = request
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(*form);
            }
            let answer = browser.keep(read(request).await);
            if let Some(fault) = who.fault(*needs, &answer) {
                let (status, location) = (answer.status, answer.header("location"));
                faults.push(format!(
                    "{method} {path} as {who:?}: {status} {location} {fault}"
                ));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[tokio::test]
async fn page_says_who_is_signed_in() {
    let stack = Stack::running();
    let keys = Keys::of(&stack).await;
    let id = Uuid::now_v7().to_string();
    let token = keys.sign(&keys.claims(&id, "admin"));
    let mut browser = Browser::at(&stack.api_url).with_token(&token);
    let end = format!("<code title=\"{id}\">…{}</code>", &id[28..]);
    for path in ["/console", "/console/switches", "/console/step-up"] {
        let answer = browser.get(path).await.expect(200);
        let page = String::from_utf8(answer.bytes).unwrap();
        assert!(page.contains(&end), "{path}: {page}");
    }
}

#[tokio::test]
async fn second_factor_of_somebody_else_than_an_admin_is_not_even_looked_at() {
    let stack = Stack::running();
    let keys = Keys::of(&stack).await;
    let form = [("code", "000000"), ("to", "/console")];
    for who in Who::ALL {
        let mut browser = who.browser(&stack, &keys);
        let answer = browser.submit(&format!("{FORMS}/step-up"), &form).await;
        let expected = match who {
            Who::SignedOut | Who::Forged | Who::Expired => "/console/step-up?to=%2Fconsole",
            Who::Customer | Who::Seller => "/console/sign-in?problem=not-admin&to=%2Fconsole",
            // Nobody has these accounts, so they have no second factor.
            Who::Admin | Who::SteppedUp => "/console/step-up?problem=no-factor&to=%2Fconsole",
        };
        assert_eq!(location(answer), expected, "{who:?}");
    }
}

#[tokio::test]
async fn cookie_opens_no_route_of_the_api() {
    let stack = Stack::running();
    let keys = Keys::of(&stack).await;
    let browser = Who::SteppedUp.browser(&stack, &keys);
    let switch = json!({"enabled": true, "reason": "a test"});
    for (method, path, body) in [
        (Method::GET, "/api/v1/auth/me", Value::Null),
        (Method::GET, "/api/v1/admin/flags", Value::Null),
        (Method::PUT, "/api/v1/admin/flags/search", switch),
        (Method::GET, "/api/v1/orders", Value::Null),
        (Method::POST, "/api/v1/products", json!({})),
        (Method::POST, "/api/v1/auth/logout-all", Value::Null),
    ] {
        let request = browser.request(&method, path).json(&body);
        let answer = read(request).await.expect(401);
        assert_eq!(answer.problem(), "unauthorized", "{path}");
    }
}

/// Where a page of another site sends its form from, as browsers say it.
const ELSEWHERE: [(&str, &str); 5] = [
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
    ("sec-fetch-site", "nonsense"),
    ("origin", "https://evil.example"),
    ("origin", "null"),
];

/// How often the audit log has a reason.
async fn recorded(state: &AppState<Ops>, reason: &str) -> i64 {
    let mut tx = state.database.begin().await.unwrap();
    sqlx::query_scalar("select count(*) from audit_log where detail ->> 'reason' = $1")
        .bind(reason)
        .fetch_one(&mut *tx)
        .await
        .unwrap()
}

#[tokio::test]
async fn form_of_another_site_changes_nothing() {
    let stack = Stack::running();
    let keys = Keys::of(&stack).await;
    let state = Changed::new().state::<Ops>().await;
    let mut browser = Who::SteppedUp.browser(&stack, &keys);
    let reason = Uuid::new_v4().to_string();
    let form = [("state", "auto"), ("reason", reason.as_str())];
    // No other test sets it, and the calls decide about it anyway.
    let path = "/console/breakers/s3";
    for elsewhere in ELSEWHERE {
        let request = browser.request_from(elsewhere, &Method::POST, path);
        let answer = browser.keep(read(request.form(&form)).await);
        assert_eq!(answer.status, 403, "{elsewhere:?}");
    }
    assert_eq!(recorded(&state, &reason).await, 0);
    let answer = browser.submit(path, &form).await;
    assert_eq!(location(answer), "/console/switches?done=set");
    assert_eq!(recorded(&state, &reason).await, 1);
}

#[tokio::test]
async fn form_of_another_site_signs_nobody_in_or_out() {
    let shop = Shop::open().await;
    let ada = Person::admin(&shop).await;
    let foreign = "/console/sign-in?problem=foreign&to=%2Fconsole";
    let (sign_in, sign_out) = (format!("{FORMS}/sign-in"), format!("{FORMS}/sign-out"));
    let mut browser = Browser::at(&shop.api_url);
    let credentials = [("email", &ada.email), ("password", &ada.password)];
    for elsewhere in ELSEWHERE {
        let request = browser.request_from(elsewhere, &Method::POST, &sign_in);
        let answer = browser.keep(read(request.form(&credentials)).await);
        assert_eq!(location(answer), foreign, "{elsewhere:?}");
        assert!(browser.cookies.is_empty());
    }
    location(browser.sign_in(&ada, "").await);
    for elsewhere in ELSEWHERE {
        let request = browser.request_from(elsewhere, &Method::POST, &sign_out);
        let answer = browser.keep(read(request).await);
        assert_eq!(location(answer), foreign, "{elsewhere:?}");
    }
    let renewed = browser.get(&format!("{FORMS}/renew")).await;
    assert_eq!(location(renewed), "/console", "the session has ended");
}

#[tokio::test]
async fn form_that_lacks_a_reason_is_shown_again_with_what_was_typed() {
    let stack = Stack::running();
    let keys = Keys::of(&stack).await;
    let mut browser = Who::SteppedUp.browser(&stack, &keys);
    let too_long = format!("<b>{}", "x".repeat(200));
    let form = [("state", "open"), ("reason", too_long.as_str())];
    let answer = browser
        .submit("/console/breakers/s3", &form)
        .await
        .expect(422);
    let page = String::from_utf8(answer.bytes).unwrap();
    assert!(page.contains("must be 1 to 200 characters"), "{page}");
    assert!(page.contains("value=\"open\" selected"), "{page}");
    // As text, never as a part of the page.
    assert!(page.contains("xxxx") && !page.contains("<b>x"), "{page}");
}
