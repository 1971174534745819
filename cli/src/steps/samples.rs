//! The sample shop: people, catalogue, pictures.

use anyhow::Result;
use local::postgres::{DATABASE, Node, superuser_options};
use local::{Port, Stack};
use sqlx::postgres::PgPoolOptions;

use super::accounts::Accounts;
use super::secrets;
use crate::progress::Step;
use crate::seed::{self, Seeded, Target};

/// Adds what is missing of the sample shop.
///
/// # Errors
/// The step that failed, in the API's own words.
pub(crate) async fn seed(
    stack: &Stack,
    writer: Node,
    accounts: &Accounts,
    step: &Step,
) -> Result<String> {
    let options = superuser_options(stack, writer, DATABASE)?;
    let target = Target {
        seal_key: secrets::seal_key(stack).await?,
        api_url: stack.url(Port::Front),
        admin: accounts.admin.clone(),
        seller: accounts.seller.clone(),
        customer: accounts.customer.clone(),
        database: PgPoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await?,
    };
    let seeded = seed::run(&target, |done, all| step.say(format!("{done} of {all}"))).await?;
    target.database.close().await;
    let Seeded {
        products, pictures, ..
    } = seeded;
    Ok(match seeded == Seeded::default() {
        true => "all there".into(),
        false => format!("{products} products, {pictures} pictures added"),
    })
}
