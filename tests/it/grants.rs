//! Each function's role may do what the function does, and little else.

use crate::tidy::functions;
use sqlx::{ConnectOptions, Row};
use tests::TestDatabase;

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
        "42501"
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
