//! The secrets that a template cannot make: the database logins must be the database's, the
//! payment keys the sandbox's. More secrets are written here, in `write_all`.

use super::database::{self, Login};
use crate::project;
use anyhow::{Context, Result};
use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Credentials;
use local::postgres::Node;
use local::stack::STAGE;
use local::{Port, Stack, aws};
use secrecy::ExposeSecret;
use shared::domain::sealed::SealKey;
use shared::providers::signing::{FirstSecrets, Ring};
use time::OffsetDateTime;

/// Brings every secret into agreement with what it opens. Answers how many had to be changed.
///
/// # Errors
/// The emulator or the database refuses.
pub(crate) async fn write_all(stack: &Stack, writer: Node) -> Result<usize> {
    let client = client(stack).await;
    let mut changed = 0;
    for function in project::database_functions(stack)? {
        changed += usize::from(database_login(stack, &client, writer, &function).await?);
    }
    changed += usize::from(payment_keys(stack, &client).await?);
    changed += usize::from(signing_keys(&client).await?);
    changed += replicate(stack, &client).await?;
    Ok(changed)
}

/// Copies every secret to the other region, which AWS does by itself. Answers how many it lacked.
///
/// # Errors
/// An emulator refuses.
pub(crate) async fn replicate(stack: &Stack, from: &Client) -> Result<usize> {
    let to = &client_of(stack, Port::AwsSecondary).await;
    let (mut changed, mut names) = (0, Vec::new());
    let mut pages = from.list_secrets().into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.context("The secrets cannot be listed.")?;
        names.extend(
            page.secret_list
                .into_iter()
                .flatten()
                .filter_map(|secret| secret.name),
        );
    }
    for id in &names {
        // One that was declared and never written is not there either.
        let Ok(wanted) = value(from, id).await else {
            continue;
        };
        match value(to, id).await {
            Ok(present) if present == wanted => continue,
            Ok(_) => put(to, id, &wanted).await?,
            Err(_) => create(to, id, &wanted).await?,
        }
        changed += 1;
    }
    Ok(changed)
}

/// A client with the rights of the account's root.
pub(crate) async fn client(stack: &Stack) -> Client {
    client_of(stack, Port::Aws).await
}

/// The key that second factors are sealed with, which the template has made up.
///
/// # Errors
/// The emulator refuses.
pub(crate) async fn seal_key(stack: &Stack) -> Result<SealKey> {
    let id = format!("holdfast/{STAGE}/totp-key");
    let text = value(&client(stack).await, &id).await?;
    SealKey::try_from(text.as_str()).with_context(|| format!("{id} holds no key."))
}

async fn client_of(stack: &Stack, port: Port) -> Client {
    let region = match port {
        Port::AwsSecondary => aws::SECONDARY_REGION,
        _ => aws::REGION,
    };
    let credentials = Credentials::new(aws::ACCESS_KEY, aws::SECRET_KEY, None, None, "local");
    let config = aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .region(Region::new(region))
        .endpoint_url(stack.url(port))
        .load()
        .await;
    Client::new(&config)
}

/// The template has the password made up; the login gets it here.
async fn database_login(
    stack: &Stack,
    client: &Client,
    writer: Node,
    function: &str,
) -> Result<bool> {
    let id = format!("holdfast/{STAGE}/db/{function}");
    let text = value(client, &id).await?;
    let login: Login =
        serde_json::from_str(&text).with_context(|| format!("{id} holds no login."))?;
    database::ensure_login(stack, writer, &project::role_of(function), &login).await
}

async fn payment_keys(stack: &Stack, client: &Client) -> Result<bool> {
    let id = format!("holdfast/{STAGE}/stripe");
    let wanted = super::services::payment_keys(stack)?;
    let wanted = serde_json::to_string(&wanted)?;
    if value(client, &id)
        .await
        .is_ok_and(|present| present == wanted)
    {
        return Ok(false);
    }
    put(client, &id, &wanted).await?;
    Ok(true)
}

/// The first ring and its public half, where there is none: a rotation is the function's own.
async fn signing_keys(client: &Client) -> Result<bool> {
    let private = format!("holdfast/{STAGE}/jwt-private");
    let present = value(client, &private).await.unwrap_or_default();
    if serde_json::from_str::<Ring>(&present).is_ok() {
        return Ok(false);
    }
    let first = FirstSecrets::generate(OffsetDateTime::now_utc())
        .ok()
        .context("The system has no randomness to make keys from.")?;
    // The public half first: every verifier knows a key before it signs.
    put(
        client,
        &format!("holdfast/{STAGE}/jwt-public"),
        &first.jwt_public,
    )
    .await?;
    put(client, &private, first.jwt_private.expose_secret()).await?;
    Ok(true)
}

/// The present value of a secret.
///
/// # Errors
/// It has none, or the emulator refuses.
pub(crate) async fn value(client: &Client, id: &str) -> Result<String> {
    let answer = client.get_secret_value().secret_id(id).send().await;
    let answer = answer.with_context(|| format!("The secret {id} cannot be read."))?;
    answer
        .secret_string
        .with_context(|| format!("The secret {id} is no text."))
}

/// Gives a secret a new value.
async fn put(client: &Client, id: &str, text: &str) -> Result<()> {
    let answer = client
        .put_secret_value()
        .secret_id(id)
        .secret_string(text)
        .send()
        .await;
    answer
        .map(drop)
        .with_context(|| format!("The secret {id} cannot be written."))
}

async fn create(client: &Client, id: &str, text: &str) -> Result<()> {
    let answer = client.create_secret().name(id).secret_string(text);
    let answer = answer.send().await;
    answer
        .map(drop)
        .with_context(|| format!("The secret {id} cannot be made."))
}
