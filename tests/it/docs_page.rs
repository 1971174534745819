//! The documentation page in a headless browser.

use tests::browser::Browser;
use tokio::net::TcpListener;

use crate::offline::{NOWHERE, state};

#[tokio::test]
async fn page_shows_every_operation() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/docs", listener.local_addr().unwrap());
    let router = ops::router(state(NOWHERE, &[]));
    tokio::select! {
        served = axum::serve(listener, router) => panic!("{served:?}"),
        () = look(browser, &url) => {}
    }
}

async fn look(mut browser: Browser, url: &str) {
    let contract = serde_json::to_value(tests::openapi::document()).unwrap();
    let operations = contract["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|item| item.as_object().unwrap().values());
    let ids: Vec<&str> = operations
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    browser.go(url).await;
    let shown = format!(
        "document.querySelectorAll('.operation').length === {}",
        ids.len()
    );
    browser.until(&shown).await;
    for id in ids {
        let script = format!("!!document.getElementById('{id}')");
        assert_eq!(browser.script(&script).await, true, "{id} is not shown");
    }
    assert!(
        browser.complaints().is_empty(),
        "{:?}",
        browser.complaints()
    );
}
