//! Browsers that are not to turn into somebody else, and sessions that are not to be left behind.

use axum::Router;
use axum::body::Body;
use http::request::Builder;
use http::{HeaderValue, Request};
use local::stack::STAGE;
use reqwest::header::SET_COOKIE;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use shared::state::Auth;
use tests::Stack;
use tests::client::{Client, read};
use tests::shop::{Shop, eventually};
use tests::state::{Changed, NOWHERE};
use tests::traces::log_lines;
use time::OffsetDateTime;
use tower::ServiceExt;

use crate::console::browser::{Browser, FORMS, Person, SESSION, TOKEN, location};
use crate::offline;

const SWITCH: &str = "/console/switches/search";

/// What a function in this process answers to a form: where it leads, and the cookies that it sets.
async fn sent(router: &Router, request: Builder, form: &[(&str, &str)]) -> (String, Vec<String>) {
    let form = Url::parse_with_params("http://form", form).unwrap();
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.query().unwrap_or_default().to_owned()))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 303);
    let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
    let set = response.headers().get_all(SET_COOKIE).iter().map(text);
    let set = set.collect();
    (text(&response.headers()["location"]), set)
}

#[tokio::test]
async fn signing_in_anew_ends_the_session_of_before() {
    let shop = Shop::open().await;
    let (ada, bob) = (Person::admin(&shop).await, Person::admin(&shop).await);
    let api = Client::anonymous(&shop.api_url);
    let mut browser = Browser::at(&shop.api_url);
    location(browser.sign_in(&ada, "").await);
    for next in [&ada, &bob] {
        let before = json!({"refresh_token": browser.cookie(SESSION)});
        location(browser.sign_in(next, "").await);
        let _ = api.post("/auth/refresh", before).await.expect(401);
    }
    let last = json!({"refresh_token": browser.cookie(SESSION)});
    let _ = api.post("/auth/refresh", last).await.expect(200);
}

#[tokio::test]
async fn without_the_session_store_nobody_keeps_the_session_of_somebody_else() {
    let shop = Shop::open().await;
    let (ada, bob) = (Person::admin(&shop).await, Person::admin(&shop).await);
    let away = Changed::new().at("DynamoDB", NOWHERE);
    let router = auth::router(away.state::<Auth>().await);
    for (before, is_kept) in [(&ada, true), (&bob, false)] {
        let mut browser = Browser::at(&shop.api_url);
        location(browser.sign_in(before, "").await);
        let session = browser.cookie(SESSION).unwrap();
        let request = Request::post(format!("{FORMS}/sign-in"))
            .header("sec-fetch-site", "same-origin")
            .header("cookie", format!("{SESSION}={session}"));
        let form = [
            ("email", ada.email.as_str()),
            ("password", ada.password.as_str()),
        ];
        let (page, set) = sent(&router, request, &form).await;
        assert_eq!(page, "/console");
        assert!(set[0].starts_with(TOKEN), "{set:?}");
        let forgets = |cookie: &String| cookie.starts_with(SESSION) && cookie.contains("Max-Age=0");
        assert_eq!(set.iter().any(forgets), !is_kept, "{set:?}");
        assert_eq!(set.len(), if is_kept { 1 } else { 2 }, "{set:?}");
    }
}

#[tokio::test]
async fn another_site_cannot_have_a_good_session_renewed() {
    let shop = Shop::open().await;
    let ada = Person::operator(&shop).await;
    let mut browser = Browser::at(&shop.api_url);
    location(browser.sign_in(&ada, &ada.codes[0]).await);
    let renew = format!("{FORMS}/renew?to={SWITCH}");
    for site in ["cross-site", "same-site"] {
        let request = browser.request_from(("sec-fetch-site", site), &Method::GET, &renew);
        let answer = browser.keep(read(request).await);
        assert!(!answer.headers.contains_key(SET_COOKIE), "{site}");
        assert_eq!(location(answer), SWITCH, "{site}");
    }
    let _ = browser.get(SWITCH).await.expect(200);
    // Who follows a link to a page a quarter of an hour later is sent on by it, and has nothing to lose.
    let _ = browser.cookies.remove(TOKEN);
    let link = browser.request_from(("sec-fetch-site", "cross-site"), &Method::GET, &renew);
    let answer = browser.keep(read(link).await);
    assert_eq!(location(answer), SWITCH);
    assert!(browser.cookie(TOKEN).is_some());
}

#[tokio::test]
async fn session_of_a_customer_opens_no_console_and_ends() {
    let shop = Shop::open().await;
    let customer = Person::customer(&shop).await;
    let api = Client::anonymous(&shop.api_url);
    let login = json!({"email": customer.email, "password": customer.password});
    let pair = api.post("/auth/login", login).await.expect(200).body;
    let token = pair["refresh_token"].as_str().unwrap();
    let mut browser = Browser::at(&shop.api_url);
    let kept = (token.to_owned(), FORMS.to_owned());
    browser.cookies.insert(SESSION.to_owned(), kept);
    let answer = browser.get(&format!("{FORMS}/renew")).await;
    assert_eq!(
        location(answer),
        "/console/sign-in?problem=not-admin&to=%2Fconsole"
    );
    assert!(browser.cookies.is_empty());
    let spent = json!({"refresh_token": token});
    let _ = api.post("/auth/refresh", spent).await.expect(401);
}

#[tokio::test]
async fn sign_out_that_is_refused_forgets_the_cookies_unless_another_site_sent_it() {
    let limits = [("LIMIT_PER_ADDRESS", "1")];
    let router = auth::router(offline::state(NOWHERE, &limits));
    let from =
        |site: &str| Request::post(format!("{FORMS}/sign-out")).header("sec-fetch-site", site);
    // The budget of sessions is five times that of guesses.
    for _ in 0..5 {
        let (page, _) = sent(&router, from("same-origin"), &[]).await;
        assert_eq!(page, "/console/sign-in?problem=signed-out&to=%2Fconsole");
    }
    let (page, set) = sent(&router, from("same-origin"), &[]).await;
    assert_eq!(
        page,
        "/console/sign-in?problem=signed-out-here&to=%2Fconsole"
    );
    assert_eq!(set.len(), 2, "{set:?}");
    assert!(
        set.iter().all(|cookie| cookie.contains("Max-Age=0")),
        "{set:?}"
    );
    // It is not even known there yet that the form is foreign.
    let (page, set) = sent(&router, from("cross-site"), &[]).await;
    assert_eq!(page, "/console/sign-in?problem=too-many&to=%2Fconsole");
    assert!(set.is_empty(), "{set:?}");
}

#[tokio::test]
async fn way_back_outlasts_a_renewal_that_is_refused() {
    let limits = [("LIMIT_PER_ADDRESS", "1")];
    let router = auth::router(offline::state(NOWHERE, &limits));
    let renew = || Request::get(format!("{FORMS}/renew?to=%2Fconsole%2Forders%3Fx%3D1"));
    let mut page = String::new();
    for _ in 0..6 {
        (page, _) = sent(&router, renew(), &[]).await;
    }
    assert_eq!(
        page,
        "/console/sign-in?problem=too-many&to=%2Fconsole%2Forders%3Fx%3D1"
    );
}

#[tokio::test]
async fn whoever_is_refused_is_in_the_log_by_a_word() {
    let shop = Shop::open().await;
    let (stack, ada) = (Stack::running(), Person::admin(&shop).await);
    let since = OffsetDateTime::now_utc();
    let mut browser = Browser::at(&shop.api_url);
    let wrong = [("email", ada.email.as_str()), ("password", "wrong")];
    let sign_in = browser.submit(&format!("{FORMS}/sign-in"), &wrong).await;
    location(browser.sign_in(&ada, "").await);
    let code = [("code", "AAAA-AAAA-AAAA-AAAA")];
    let step_up = browser.submit(&format!("{FORMS}/step-up"), &code).await;
    let ended = browser.cookies[SESSION].clone();
    location(browser.submit(&format!("{FORMS}/sign-out"), &[]).await);
    browser.cookies.insert(SESSION.to_owned(), ended);
    let renewal = browser.get(&format!("{FORMS}/renew")).await;
    let group = format!("/aws/lambda/holdfast-{STAGE}-auth");
    for (answer, word) in [
        (sign_in, "credentials"),
        (step_up, "no-factor"),
        (renewal, "credentials"),
    ] {
        let id = answer.header("x-request-id");
        let line = eventually("the warning", async || {
            let lines = log_lines(&stack, &group, since).await;
            let mut lines = lines.lines().filter(|line| line.contains(id));
            let line = lines.find(|line| line.contains("the console refused somebody"))?;
            serde_json::from_str::<Value>(&line[line.find('{')?..]).ok()
        })
        .await;
        assert_eq!(line["problem"], word, "{line}");
        assert_eq!(line["level"], "WARN", "{line}");
        assert!(!line.to_string().contains(&ada.email), "{line}");
    }
}
