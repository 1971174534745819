//! The migrations, applied: by several at once, and read by every function.

use shared::store::migrations;
use sqlx::ConnectOptions;
use tests::TestDatabase;

use crate::tidy::functions;

#[tokio::test]
async fn several_that_migrate_a_fresh_database_at_once_all_succeed_and_apply_each_once() {
    let database = TestDatabase::empty().await;
    let migrate = async || {
        let mut connection = database.options().connect().await.unwrap();
        migrations::run(&mut connection).await.unwrap();
        migrations::applied(&mut connection).await.unwrap()
    };
    let versions = futures::join!(migrate(), migrate(), migrate());
    let needed = migrations::built_for();
    assert_eq!(versions, (needed, needed, needed));
    let (count, distinct): (i64, i64) = sqlx::query_as(
        "select count(*), count(distinct version) from _sqlx_migrations where success",
    )
    .fetch_one(database.pool())
    .await
    .unwrap();
    assert_eq!(count, distinct);
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations")).unwrap();
    assert_eq!(usize::try_from(count).unwrap(), files.count());
}

/// Each asks it together with a node's role: without the grant it would find no writer.
#[tokio::test]
async fn every_function_with_a_database_may_read_the_schemas_version() {
    let database = TestDatabase::create().await;
    for function in functions().iter().filter(|name| *name != "warmer") {
        let mut connection = database.connect_as(&function.replace('-', "_")).await;
        let version = migrations::applied(&mut connection).await;
        assert_eq!(version.unwrap(), migrations::built_for(), "{function}");
    }
}
