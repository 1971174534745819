//! Each function's role may do what the function does, and little else.

use crate::tidy::functions;
use sqlx::{ConnectOptions, Row};
use std::collections::BTreeSet;
use tests::TestDatabase;

/// PostgreSQL's code for a missing grant.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// The function that never asks the database.
const WITHOUT_DATABASE: &str = "warmer";

fn roles() -> Vec<String> {
    let mut names = functions();
    names.retain(|name| name != WITHOUT_DATABASE);
    names.iter().map(|name| name.replace('-', "_")).collect()
}

#[tokio::test]
async fn every_role_may_look_at_the_schema_version_and_none_may_change_the_schema() {
    let database = TestDatabase::create().await;
    for role in roles() {
        let row = sqlx::query(
            "select rolcanlogin, rolsuper, rolcreatedb, rolcreaterole,
                 has_schema_privilege($1, 'public', 'usage') as may_use,
                 has_schema_privilege($1, 'public', 'create') as may_create,
                 has_table_privilege($1, '_sqlx_migrations', 'select') as sees_version,
                 has_table_privilege($1, '_sqlx_migrations', 'insert, update, delete') as changes_version
             from pg_roles where rolname = $1",
        );
        let row = row
            .bind(&role)
            .fetch_optional(database.pool())
            .await
            .unwrap();
        let row = row.unwrap_or_else(|| panic!("no migration makes the role {role}"));
        let is = |column: &str| row.get::<bool, _>(column);
        assert!(
            is("may_use") && is("sees_version"),
            "{role} lacks the least that it needs"
        );
        for refused in [
            "rolcanlogin",
            "rolsuper",
            "rolcreatedb",
            "rolcreaterole",
            "may_create",
            "changes_version",
        ] {
            assert!(!is(refused), "{role}: {refused}");
        }
    }
}

#[tokio::test]
async fn every_table_can_be_read_by_some_function_and_no_function_reads_all() {
    let database = TestDatabase::create().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select tablename::text from pg_tables where schemaname = 'public' and tablename <> '_sqlx_migrations'",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    assert!(tables.len() > 10);
    let mut readers = vec![0; tables.len()];
    for role in roles() {
        let mut count = 0;
        for (table, readers) in tables.iter().zip(&mut readers) {
            let may: bool = sqlx::query_scalar("select has_any_column_privilege($1, $2, 'select')")
                .bind(&role)
                .bind(table)
                .fetch_one(database.pool())
                .await
                .unwrap();
            count += usize::from(may);
            *readers += usize::from(may);
        }
        assert!(count < tables.len(), "{role} may read every table");
    }
    let unread: Vec<&String> = tables
        .iter()
        .zip(&readers)
        .filter(|(_, readers)| **readers == 0)
        .map(|(table, _)| table)
        .collect();
    assert!(unread.is_empty(), "no role may read {unread:?}");
}

/// What somebody may do to a table: read, add, remove, empty it, each done to no row. A privilege on
/// any column is enough for the first two; a change is tried column by column.
const DEEDS: [&str; 4] = [
    "select 1 from {table} limit 0",
    "insert into {table} default values",
    "delete from {table} where false",
    "truncate {table}",
];

#[tokio::test]
async fn every_role_is_refused_what_it_has_no_grant_for() {
    let database = TestDatabase::create().await;
    let mut findings = Vec::new();
    let mut tried = 0;
    for role in roles() {
        let mut connection = database.connect_as(&role).await;
        for statement in without_grant(&database, &role).await {
            tried += 1;
            let outcome = sqlx::query(&statement).execute(&mut connection).await;
            let error = outcome.err();
            let code = error
                .as_ref()
                .and_then(|error| error.as_database_error()?.code());
            if code.as_deref() != Some(INSUFFICIENT_PRIVILEGE) {
                findings.push(format!("{role}: {statement}: {error:?}"));
            }
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    assert!(tried > 1_000, "only {tried} statements were tried");
}

/// Every deed that the catalogue has no grant for, as a statement.
async fn without_grant(database: &TestDatabase, role: &str) -> Vec<String> {
    let columns: Vec<(String, String, bool)> = sqlx::query_as(
        "select table_name::text, column_name::text, has_column_privilege($1, table_name::regclass, column_name::name, 'update')
         from information_schema.columns where table_schema = 'public'",
    )
    .bind(role)
    .fetch_all(database.pool())
    .await
    .unwrap();
    let tables: BTreeSet<&String> = columns.iter().map(|(table, ..)| table).collect();
    let mut statements = Vec::new();
    for table in tables {
        let granted: (bool, bool, bool, bool) = sqlx::query_as(
            "select has_any_column_privilege($1, $2, 'select'), has_any_column_privilege($1, $2, 'insert'),
                 has_table_privilege($1, $2, 'delete'), has_table_privilege($1, $2, 'truncate')",
        )
        .bind(role)
        .bind(table)
        .fetch_one(database.pool())
        .await
        .unwrap();
        let granted = [granted.0, granted.1, granted.2, granted.3];
        let refused = DEEDS.iter().zip(granted).filter(|(_, granted)| !granted);
        statements.extend(refused.map(|(statement, _)| statement.replace("{table}", table)));
    }
    // A default is what every column takes, those that are computed too.
    let updates = columns.iter().filter(|(.., granted)| !granted);
    let updates = updates
        .map(|(table, column, _)| format!("update {table} set {column} = default where false"));
    statements.extend(updates);
    statements.extend(FOR_NOBODY.map(ToOwned::to_owned));
    statements
}

/// What no function needs: the schema, other roles, the server's files and programs.
const FOR_NOBODY: [&str; 9] = [
    "create table public.mine (id uuid)",
    "create schema mine",
    "alter table users add column mine text",
    "drop table wallets",
    "create role mine",
    "alter role auth superuser",
    "copy (select 1) to program 'true'",
    "select pg_read_file('/etc/hostname')",
    "alter system set log_statement = 'all'",
];

#[tokio::test]
async fn rows_that_are_kept_for_ever_can_be_changed_by_nobody() {
    let database = TestDatabase::create().await;
    for table in [
        "order_history",
        "payment_events",
        "wallet_entries",
        "stock_adjustments",
        "audit_log",
    ] {
        for role in roles() {
            let may: bool = sqlx::query_scalar("select has_any_column_privilege($1, $2, 'update') or has_table_privilege($1, $2, 'delete')")
                .bind(&role)
                .bind(table)
                .fetch_one(database.pool())
                .await
                .unwrap();
            assert!(!may, "{role} may change {table}");
        }
    }
}

#[tokio::test]
async fn a_database_has_its_own_name_and_a_role_its_own_rights() {
    let (one, other) = (TestDatabase::create().await, TestDatabase::create().await);
    assert_ne!(one.name(), other.name());
    let mut mailer = one.connect_as("mailer").await;
    let refused = sqlx::query("select id from wallets")
        .fetch_all(&mut mailer)
        .await
        .unwrap_err();
    assert_eq!(
        refused.as_database_error().unwrap().code().unwrap(),
        INSUFFICIENT_PRIVILEGE
    );
    let name = one.name().to_owned();
    drop((mailer, one));
    let mut connection = other.options().connect().await.unwrap();
    let left: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert!(!left, "a test's database outlives the test");
}
