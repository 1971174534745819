//! A function's state in the test's own process: the deployed configuration, with a database of
//! the test's own.

use crate::{Stack, TestDatabase};
use reqwest::Method;
use shared::config::Config;
use shared::state::AppState;
use std::cell::RefCell;

thread_local! {
    /// Each test has its thread, and its databases go with it.
    static KEPT: RefCell<Vec<TestDatabase>> = const { RefCell::new(Vec::new()) };
}

/// Builds the state of a function as it is deployed to the running stack: its secrets, tables,
/// queues and database login. Only the database is fresh, and read from the primary; and so is
/// the catalogue in S3, which is made of it.
///
/// # Panics
/// The stack does not run, or the function is not deployed.
pub async fn state(function: &str) -> AppState {
    let database = TestDatabase::create().await;
    let state = state_on(function, &database).await;
    KEPT.with_borrow_mut(|kept| kept.push(database));
    state
}

/// The same on a database that is there already.
///
/// # Panics
/// As [`state`].
pub async fn state_on(function: &str, database: &TestDatabase) -> AppState {
    let stack = Stack::running();
    // A standby may not have heard of the new database yet.
    let primary = &stack.database["primary"];
    let hosts = format!("{}:{}", primary.host, primary.port);
    let bucket = database.name().replace('_', "-");
    let made = stack.aws("s3", Method::PUT, &format!("/{bucket}"));
    // S3 takes none without a word on its region, except in the oldest one.
    let made = made.body(format!(
        "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
        local::aws::REGION
    ));
    let _ = made.send().await.unwrap().error_for_status().unwrap();
    let overrides = [
        ("DB_NAME", database.name()),
        ("DB_HOSTS", hosts.as_str()),
        ("CATALOGUE_BUCKET", bucket.as_str()),
    ];
    state_with(function, &overrides).await
}

/// The state of a function as it is deployed, but for some variables.
///
/// # Panics
/// As [`state`].
pub async fn state_with(function: &str, overrides: &[(&str, &str)]) -> AppState {
    shared::telemetry::start();
    let mut variables = Stack::running().environment(function).await;
    for (name, value) in overrides {
        variables.insert((*name).to_owned(), (*value).to_owned());
    }
    // The second test of a process finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    AppState::build(Config::parse(variables).unwrap()).await
}
