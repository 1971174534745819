//! A function's state in the test's own process: the deployed configuration, with a database of
//! the test's own, and any service of AWS somewhere else.

use crate::{Stack, TestDatabase};
use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use reqwest::Method;
use shared::config::Config;
use shared::state::{AppState, Base, Parts};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::TcpListener;

thread_local! {
    /// Each test has its thread, and its databases go with it.
    static KEPT: RefCell<Vec<TestDatabase>> = const { RefCell::new(Vec::new()) };
}

/// Nobody listens there: the port is privileged and belongs to `discard`.
pub const NOWHERE: &str = "http://127.0.0.1:9";

/// Builds the state of a function as it is deployed to the running stack: its secrets, tables,
/// queues and database login. Only the database is fresh, and read from the primary; and so is
/// the catalogue in S3, which is made of it.
///
/// # Panics
/// The stack does not run, or the function is not deployed.
pub async fn state<P: Parts>() -> AppState<P> {
    let database = TestDatabase::create().await;
    let state = state_on(&database).await;
    KEPT.with_borrow_mut(|kept| kept.push(database));
    state
}

/// The same on a database that is there already.
///
/// # Panics
/// As [`state`].
pub async fn state_on<P: Parts>(database: &TestDatabase) -> AppState<P> {
    let stack = Stack::running();
    let bucket = database.name().replace('_', "-");
    let made = stack.aws("s3", Method::PUT, &format!("/{bucket}"));
    // S3 takes none without a word on its region, except in the oldest one.
    let made = made.body(format!(
        "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
        local::aws::REGION
    ));
    let _ = made.send().await.unwrap().error_for_status().unwrap();
    let primary = &stack.database["primary"];
    // A standby may not have heard of the new database yet.
    let host = format!("{}:{}", primary.host, primary.port);
    let changed = Changed::new()
        .with("DB_NAME", database.name())
        .with("DB_HOSTS", &host)
        .with("CATALOGUE_BUCKET", &bucket);
    changed.state().await
}

/// What is different from the deployed function.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    variables: BTreeMap<String, String>,
    endpoints: BTreeMap<&'static str, String>,
}

impl Changed {
    /// Nothing: even the database is the stack's own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another value of a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The database of another state.
    #[must_use]
    pub fn on_the_database_of(self, base: &Base) -> Self {
        let database = base.database.config();
        let hosts = database
            .hosts
            .iter()
            .map(|host| format!("{}:{}", host.host, host.port));
        let hosts = hosts.collect::<Vec<_>>().join(",");
        self.with("DB_NAME", &database.name)
            .with("DB_HOSTS", &hosts)
    }

    /// One service of AWS (`DynamoDB`, `S3`, `SESv2`, `SQS`, `Secrets Manager`) at another place.
    #[must_use]
    pub fn at(mut self, service: &'static str, endpoint: &str) -> Self {
        self.endpoints.insert(service, endpoint.to_owned());
        self
    }

    /// Builds the state of a function with these differences.
    ///
    /// # Panics
    /// The stack does not run, or the function is not deployed.
    pub async fn state<P: Parts>(self) -> AppState<P> {
        shared::telemetry::start();
        let function = P::Config::FUNCTION;
        let mut variables = Stack::running().environment(function).await;
        variables.extend(self.variables);
        // The second test of a process finds it installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let settings = aws_config::defaults(BehaviorVersion::latest());
        let settings = settings.retry_config(RetryConfig::disabled()).load().await;
        let aws: SdkConfig = settings
            .into_builder()
            .service_config(Endpoints(self.endpoints))
            .build();
        AppState::assemble(P::Config::parse(variables).unwrap(), &aws)
    }
}

#[derive(Debug)]
struct Endpoints(BTreeMap<&'static str, String>);

impl LoadServiceConfig for Endpoints {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        (key.env() == "AWS_ENDPOINT_URL").then(|| self.0.get(key.service_id()).cloned())?
    }
}

/// A place that takes connections and never answers, for as long as the listener lives.
///
/// # Panics
/// No port is free.
pub fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}
