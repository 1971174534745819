//! The console in a headless browser: on a desk and on a phone at night, with scripts and without,
//! with the keyboard alone. Pictures of what was seen are in `target/screenshots`.

use std::path::PathBuf;

use serde_json::Value;
use tests::browser::{Browser, Look};
use tests::step_up;
use tests::{Stack, shop::Shop};
use time::OffsetDateTime;
use uuid::Uuid;

use super::browser::TOKEN;
use super::pages::letters;

fn pictures() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../target/screenshots"
    ))
}

/// What is wrong with the page.
async fn faults(browser: &mut Browser) -> Value {
    browser.script(include_str!("page.js")).await
}

/// A browser that is signed in with a second factor.
async fn signed_in(stack: &Stack) -> Option<Browser> {
    let mut browser = Browser::start().await?;
    let token = step_up::admin(stack).await;
    browser.keep(&stack.api_url, (TOKEN, token.token())).await;
    Some(browser)
}

#[tokio::test]
async fn every_page_can_be_read_and_used_by_everybody() {
    let stack = Stack::running();
    let Some(mut browser) = signed_in(&stack).await else {
        return;
    };
    let shop = Shop::open().await;
    let sku = shop.product(1999, 5).await;
    let order = shop.buy_one(&sku).await.body;
    let order = order["id"].as_str().unwrap();
    let (_, letter) = letters::one(&shop).await;
    let pages = [
        ("sign-in", "/console/sign-in?problem=credentials".to_owned()),
        ("step-up", "/console/step-up?problem=code".to_owned()),
        ("overview", "/console".to_owned()),
        ("dead-letters", "/console/dead-letters".to_owned()),
        ("dead-letter", letter.clone()),
        ("discard", format!("{letter}/discard")),
        ("replay", format!("{letter}/replay")),
        (
            "replay-many",
            "/console/dead-letters/replay?limit=100".to_owned(),
        ),
        ("orders", "/console/orders".to_owned()),
        ("order", format!("/console/orders/{order}")),
        ("job", "/console/jobs/outbox".to_owned()),
        ("switches", "/console/switches".to_owned()),
        ("switch", "/console/switches/search".to_owned()),
        ("breaker", "/console/breakers/payments".to_owned()),
        ("nothing", "/console/nothing".to_owned()),
    ];
    let looks = [("desk", Look::DESK), ("phone", Look::PHONE_AT_NIGHT)];
    let dark_desk = Look {
        dark: true,
        ..Look::DESK
    };
    let light_phone = Look {
        dark: false,
        ..Look::PHONE_AT_NIGHT
    };
    let looks = looks
        .into_iter()
        .chain([("desk-dark", dark_desk), ("phone-light", light_phone)]);
    for (kind, look) in looks {
        browser.look(look).await;
        for (name, page) in &pages {
            browser.go(&format!("{}{page}", stack.api_url)).await;
            let faults = faults(&mut browser).await;
            browser
                .picture(&pictures(), &format!("console-{name}-{kind}"))
                .await;
            assert_eq!(faults, serde_json::json!([]), "{page} on a {kind}");
        }
    }
    // The page that is not there is one that the browser complains of, rightly.
    let others = browser
        .complaints()
        .iter()
        .filter(|it| !it.contains("/console/nothing"));
    let others: Vec<_> = others.collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn reading_needs_no_script() {
    let stack = Stack::running();
    let Some(mut browser) = signed_in(&stack).await else {
        return;
    };
    browser
        .look(Look {
            scripts: false,
            ..Look::DESK
        })
        .await;
    for (page, words) in [
        ("/console", "database_primary"),
        ("/console/dead-letters", "Dead letters"),
        ("/console/orders", "Orders"),
        ("/console/switches", "search"),
    ] {
        browser.go(&format!("{}{page}", stack.api_url)).await;
        let text = browser.script("document.body.innerText").await;
        assert!(text.as_str().unwrap().contains(words), "{page}: {text}");
        assert_eq!(browser.script("typeof htmx").await, "undefined", "{page}");
    }
}

#[tokio::test]
async fn overview_looks_again_by_itself() {
    let stack = Stack::running();
    let Some(mut browser) = signed_in(&stack).await else {
        return;
    };
    browser.go(&format!("{}/console", stack.api_url)).await;
    browser
        .script("window.before = document.querySelector('#live').innerText")
        .await;
    browser
        .until("document.querySelector('#live').innerText !== window.before")
        .await;
    assert!(
        browser.complaints().is_empty(),
        "{:?}",
        browser.complaints()
    );
}

#[tokio::test]
async fn page_that_cannot_look_again_says_so_until_it_can() {
    let stack = Stack::running();
    let Some(mut browser) = signed_in(&stack).await else {
        return;
    };
    browser.go(&format!("{}/console", stack.api_url)).await;
    let line = "document.querySelector('#stale')";
    let height = format!("{line}.getBoundingClientRect().height");
    assert_eq!(browser.script(&height).await, 0);
    browser.unplug().await;
    browser
        .until(&format!(
            "{line}.innerText.startsWith('Not looked at again since 20')"
        ))
        .await;
    assert_eq!(browser.script(&format!("{height} > 20")).await, true);
    browser.picture(&pictures(), "console-stale").await;
    assert_eq!(faults(&mut browser).await, serde_json::json!([]));
    browser.plug_in().await;
    browser.until(&format!("{height} === 0")).await;
}

#[tokio::test]
async fn dead_letter_is_discarded_with_the_keyboard_alone() {
    let stack = Stack::running();
    let Some(mut browser) = Browser::start().await else {
        return;
    };
    let shop = Shop::open().await;
    let (_, letter) = letters::one(&shop).await;
    browser.go(&format!("{}{letter}", stack.api_url)).await;
    sign_in(&mut browser, &stack).await;
    browser
        .until(&format!("location.pathname === '{letter}'"))
        .await;
    follow(&mut browser, "Discard").await;
    browser
        .until("location.pathname.endsWith('/discard')")
        .await;
    let reason = format!("a test of ours, {}", Uuid::now_v7());
    focus(&mut browser, "document.activeElement.name === 'reason'").await;
    browser.write(&reason).await;
    browser.press("Enter").await;
    browser.until("location.search.includes('done=')").await;
    let path = letter.replace("/console", "/admin");
    let shown = shop.admin.get(&path).await.expect(200).body;
    assert_eq!(
        (&shown["status"], &shown["reason"]),
        (&"discarded".into(), &reason.into())
    );
}

/// Signs in by typing, with a code. One that somebody else has used is followed by the next.
async fn sign_in(browser: &mut Browser, stack: &Stack) {
    let account = &stack.accounts.admin;
    for seconds in [0, 30, -30].into_iter().cycle().take(60) {
        browser
            .until("document.activeElement.name === 'email'")
            .await;
        browser.write(&account.email).await;
        browser.press("Tab").await;
        browser.write(&account.password).await;
        browser.press("Tab").await;
        let at = OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
        browser.write(&step_up::code(account, at)).await;
        browser.script("window.old = true").await;
        browser.press("Enter").await;
        browser
            .until("!window.old && document.readyState === 'complete'")
            .await;
        if browser.script("location.pathname").await != "/console/sign-in" {
            return;
        }
    }
    panic!("no code was taken");
}

/// Goes from one control to the next until `script` says that it is the wanted one.
async fn focus(browser: &mut Browser, script: &str) {
    for _ in 0..100 {
        if browser.script(script).await == true {
            return;
        }
        browser.press("Tab").await;
    }
    panic!("no Tab leads there: {script}");
}

/// Follows the link or presses the button that begins with `words`.
async fn follow(browser: &mut Browser, words: &str) {
    focus(
        browser,
        &format!("document.activeElement.innerText?.startsWith('{words}')"),
    )
    .await;
    browser.press("Enter").await;
}
