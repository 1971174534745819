//! A function's state in the test's own process: the deployed configuration, with a database of
//! the test's own.

use crate::{Stack, TestDatabase};
use shared::config::Config;
use shared::state::AppState;
use std::cell::RefCell;

thread_local! {
    /// Each test has its thread, and its databases go with it.
    static KEPT: RefCell<Vec<TestDatabase>> = const { RefCell::new(Vec::new()) };
}

/// Builds the state of a function as it is deployed to the running stack: its secrets, tables,
/// queues and database login. Only the database is fresh, and read from the primary.
///
/// # Panics
/// The stack does not run, or the function is not deployed.
pub async fn state(function: &str) -> AppState {
    AppState::build(config(function).await).await
}

/// The configuration of such a state, to be changed before it is built.
///
/// # Panics
/// As [`state`].
pub async fn config(function: &str) -> Config {
    shared::telemetry::start();
    let database = TestDatabase::create().await;
    let stack = Stack::running();
    let mut variables = stack.environment(function).await;
    variables.insert("DB_NAME".into(), database.name().into());
    // A standby may not have heard of the new database yet.
    let primary = &stack.database["primary"];
    variables.insert(
        "DB_HOSTS".into(),
        format!("{}:{}", primary.host, primary.port),
    );
    KEPT.with_borrow_mut(|kept| kept.push(database));
    // The second test of a process finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Config::parse(variables).unwrap()
}
