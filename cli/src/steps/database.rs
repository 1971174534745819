//! The nodes, the database, its migrations, and a role with two logins for each function.

use crate::project;
use anyhow::{Context, Result};
use local::Stack;
use local::postgres::{self, Cluster, DATABASE, Done, Node};
use shared::store::migrations;
use sqlx::{Connection, Executor, PgConnection};

/// Starts the nodes that are not running.
///
/// # Errors
/// PostgreSQL cannot be had or does not start.
pub(crate) async fn start_nodes(stack: &Stack) -> Result<String> {
    let cluster = Cluster::prepare(stack).await?;
    let done = cluster.ensure().await?;
    Ok(format!("PostgreSQL {}: {}", cluster.major(), words(&done)))
}

/// What was done for the nodes. After a promotion the first one is not the writer, and it is said
/// which is.
fn words(done: &[(Node, Done)]) -> String {
    let started = done.iter().filter(|(_, done)| *done != Done::Nothing);
    let mut words = match started.count() {
        0 => "3 nodes running".to_owned(),
        n => format!("{n} of 3 nodes started"),
    };
    if let Some((writer, _)) = done.first().filter(|(node, _)| *node != Node::Primary) {
        words += &format!(", {} writes", writer.name());
    }
    words
}

/// Makes the database if need be and applies the migrations that it has not seen.
///
/// # Errors
/// No node accepts writes, or a migration fails.
pub(crate) async fn migrate(stack: &Stack) -> Result<(Node, String)> {
    let writer = postgres::writer(stack).await?;
    create_database(stack, writer).await?;
    let mut connection = postgres::connect(stack, writer, DATABASE).await?;
    let before = applied(&mut connection).await;
    migrations::run(&mut connection).await.context(
        "The migrations failed. If a migration was changed after it had been applied, \
         start afresh: cargo holdfast down --wipe",
    )?;
    let fresh = applied(&mut connection).await - before;
    create_roles(stack, &mut connection).await?;
    connection.close().await?;
    let words = if fresh == 0 {
        "schema up to date".into()
    } else {
        format!("{fresh} migrations applied")
    };
    Ok((writer, words))
}

/// Gives a login the password that its secret holds, unless it works already. The secret is the
/// truth: a rotation changes both, and a new emulator makes a new secret.
///
/// # Errors
/// The writer refuses.
pub(crate) async fn ensure_login(
    stack: &Stack,
    writer: Node,
    role: &str,
    login: &Login,
) -> Result<bool> {
    let options = postgres::superuser_options(stack, writer, DATABASE)?
        .username(&login.username)
        .password(&login.password);
    if let Ok(connection) = PgConnection::connect_with(&options).await {
        connection.close().await?;
        return Ok(false);
    }
    let mut connection = postgres::connect(stack, writer, DATABASE).await?;
    create_login(&mut connection, role, &login.username).await?;
    let statement = format!(
        "alter role {} password {}",
        name(&login.username),
        text(&login.password)
    );
    connection
        .execute(statement.as_str())
        .await
        .context("A login's password could not be set.")?;
    connection.close().await?;
    Ok(true)
}

/// A login as its secret holds it.
#[derive(serde::Deserialize)]
pub(crate) struct Login {
    /// One of the two that inherit the function's role.
    pub username: String,
    /// Its password.
    pub password: String,
}

async fn create_database(stack: &Stack, writer: Node) -> Result<()> {
    let mut connection = postgres::connect(stack, writer, "postgres").await?;
    let known: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
    if !known {
        let statement = format!("create database {}", name(DATABASE));
        unless_made(connection.execute(statement.as_str()).await.map(drop))?;
    }
    connection.close().await?;
    Ok(())
}

async fn applied(connection: &mut PgConnection) -> i64 {
    let count = sqlx::query_scalar("select count(*) from _sqlx_migrations").fetch_one(connection);
    // The table is not there before the first migration.
    count.await.unwrap_or(0)
}

async fn create_roles(stack: &Stack, connection: &mut PgConnection) -> Result<()> {
    for function in project::database_functions(stack)? {
        let role = project::role_of(&function);
        if !role_exists(connection, &role).await? {
            let statement = format!("create role {} nologin", name(&role));
            unless_made(connection.execute(statement.as_str()).await.map(drop))?;
        }
        for login in [format!("{role}_a"), format!("{role}_b")] {
            create_login(connection, &role, &login).await?;
        }
    }
    Ok(())
}

/// A new login gets a password that nobody knows, until a secret or a rotation gives it another.
async fn create_login(connection: &mut PgConnection, role: &str, login: &str) -> Result<()> {
    if role_exists(connection, login).await? {
        return Ok(());
    }
    let statement = format!(
        "create role {} login inherit in role {} password {}",
        name(login),
        name(role),
        text(&postgres::password())
    );
    unless_made(connection.execute(statement.as_str()).await.map(drop))
}

/// Somebody else who migrates may have made it since it was looked for. The migrations themselves
/// have a lock.
fn unless_made(outcome: Result<(), sqlx::Error>) -> Result<()> {
    // duplicate_database, duplicate_object, unique_violation: the last when both were at it.
    const MADE: [&str; 3] = ["42P04", "42710", "23505"];
    match outcome {
        Err(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| MADE.contains(&&*code)) =>
        {
            Ok(())
        }
        outcome => Ok(outcome?),
    }
}

async fn role_exists(connection: &mut PgConnection, role: &str) -> Result<bool> {
    let known = sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)");
    Ok(known.bind(role).fetch_one(connection).await?)
}

/// Utility statements take no parameters, so names and texts are quoted here.
fn name(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn text(literal: &str) -> String {
    format!("E'{}'", literal.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_in_names_and_texts_stay_inside_them() {
        assert_eq!(name(r#"a"; drop"#), r#""a""; drop""#);
        assert_eq!(text(r"it's \ "), r"E'it''s \\ '");
    }
}
