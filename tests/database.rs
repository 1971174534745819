//! A database per test: made from a migrated template, dropped at the end.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};
use std::str::FromStr;
use uuid::Uuid;

/// Names the server's maintenance database, with a superuser's name and password.
const VARIABLE: &str = "TEST_DATABASE_URL";

/// Only one test makes the template; the number is arbitrary.
const TEMPLATE_LOCK: i64 = 4_786_001;

/// A fresh, migrated database of one test's own.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    server: PgConnectOptions,
    pool: PgPool,
}

impl TestDatabase {
    /// Makes a database.
    ///
    /// # Panics
    /// There is no server, or a migration fails.
    pub async fn create() -> Self {
        let server = server();
        let template = template(&server).await;
        Self::copy_of(server, &template).await
    }

    /// Makes a database that no migration was applied to.
    ///
    /// # Panics
    /// There is no server.
    pub async fn empty() -> Self {
        Self::copy_of(server(), "template0").await
    }

    async fn copy_of(server: PgConnectOptions, template: &str) -> Self {
        let name = format!("holdfast_test_{}", Uuid::new_v4().simple());
        let mut connection = server.connect().await.unwrap();
        let statement = format!("create database {name} template {template}");
        connection.execute(statement.as_str()).await.unwrap();
        connection.close().await.unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .connect_lazy_with(server.clone().database(&name));
        Self { name, server, pool }
    }

    /// Connections as the owner, whom no grant restricts.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The database's name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How to connect as the owner.
    pub fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// One connection with the rights of a function's group role, as the function's login has them.
    ///
    /// # Panics
    /// There is no such role.
    pub async fn connect_as(&self, role: &str) -> PgConnection {
        let mut connection = self.options().connect().await.unwrap();
        let statement = format!("set role \"{role}\"");
        connection.execute(statement.as_str()).await.unwrap();
        connection
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (name, server) = (self.name.clone(), self.server.clone());
        // The test's own runtime cannot be waited on here.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut connection = server.connect().await?;
                connection
                    .execute(format!("drop database {name} with (force)").as_str())
                    .await
            })
        });
        let dropped = dropped.join();
        // A second panic would hide the first.
        if !std::thread::panicking() {
            dropped.unwrap().unwrap();
        }
    }
}

/// How to connect to the server's maintenance database, with a superuser's rights.
///
/// # Panics
/// There is no server.
pub fn server() -> PgConnectOptions {
    let url = std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set. `cargo holdfast test` sets it, and brings up the server that it names.")
    });
    PgConnectOptions::from_str(&url).unwrap_or_else(|error| panic!("{VARIABLE}: {error}"))
}

/// The template of the present migrations; made by whoever comes first.
async fn template(server: &PgConnectOptions) -> String {
    let name = format!("holdfast_template_{}", migrations_digest());
    let mut connection = server.connect().await.unwrap();
    sqlx::query("select pg_advisory_lock($1)")
        .bind(TEMPLATE_LOCK)
        .execute(&mut connection)
        .await
        .unwrap();
    let known: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
    if !known {
        make_template(server, &mut connection, &name).await;
    }
    // Releases the lock.
    connection.close().await.unwrap();
    name
}

/// Under another name until it is complete: a run that was broken off leaves no half template.
async fn make_template(server: &PgConnectOptions, connection: &mut PgConnection, name: &str) {
    let unfinished = format!("{name}_unfinished");
    for statement in [
        format!("drop database if exists {unfinished} with (force)"),
        format!("create database {unfinished}"),
    ] {
        connection.execute(statement.as_str()).await.unwrap();
    }
    let owner = PgPoolOptions::new()
        .max_connections(1)
        .connect_with(server.clone().database(&unfinished))
        .await
        .unwrap();
    shared::store::migrations::run(&owner).await.unwrap();
    owner.close().await;
    connection
        .execute(format!("alter database {unfinished} rename to {name}").as_str())
        .await
        .unwrap();
}

/// Changes with any migration.
fn migrations_digest() -> String {
    use sha2::{Digest, Sha256};
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        digest.update(std::fs::read(file).unwrap());
    }
    digest
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
