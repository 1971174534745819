//! The documentation page in a headless browser.

use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::process::Command;

use crate::offline::{NOWHERE, state};

#[tokio::test]
async fn page_shows_every_operation() {
    let Some(browser) = browser() else {
        assert!(std::env::var_os("CI").is_none(), "install chromium");
        eprintln!("the page was not looked at: chromium is not installed");
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/docs", listener.local_addr().unwrap());
    let router = ops::router(state(NOWHERE, &[]));
    let (page, log) = tokio::select! {
        served = axum::serve(listener, router) => panic!("{served:?}"),
        shown = show(&browser, &url) => shown,
    };
    let contract = serde_json::to_value(tests::openapi::document()).unwrap();
    let mut operations = 0;
    for item in contract["paths"].as_object().unwrap().values() {
        for operation in item.as_object().unwrap().values() {
            let id = format!("id=\"{}\"", operation["operationId"].as_str().unwrap());
            assert!(page.contains(&id), "{id} is not shown: {log}");
            operations += 1;
        }
    }
    assert_eq!(page.matches("class=\"operation\"").count(), operations);
    assert!(
        !log.contains("Content Security Policy") && !log.contains("Uncaught"),
        "{log}"
    );
}

/// The page as it is after its scripts ran, and what the browser's console said.
async fn show(browser: &PathBuf, url: &str) -> (String, String) {
    let profile = std::env::temp_dir().join(format!("holdfast-browser-{}", std::process::id()));
    let output = Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args([
            "--enable-logging=stderr",
            "--virtual-time-budget=10000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    // Left behind only when the browser still writes to it.
    let _ = std::fs::remove_dir_all(profile);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|folder| [folder.join("chromium"), folder.join("chromium-browser")])
        .find(|file| file.is_file())
}
