//! The schema's versions, built into the binary.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Acquire, PgConnection, Postgres};

static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Brings the schema up to date, under an advisory lock, so that two at once are safe.
///
/// # Errors
/// The first migration that fails, with its number.
pub async fn run<'a>(owner: impl Acquire<'a, Database = Postgres>) -> Result<(), MigrateError> {
    MIGRATOR.run(owner).await
}

/// The version that this binary was built for.
pub fn built_for() -> i64 {
    MIGRATOR
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

/// The version that the database is at.
///
/// # Errors
/// The database's.
pub async fn applied(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success")
        .fetch_one(connection)
        .await
}
