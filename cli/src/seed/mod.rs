//! A sample shop: three people and a catalogue with pictures. The people are
//! written to the database, because no route makes an admin; everything else
//! goes through the API, as a seller would do it. Running it again adds only
//! what is missing.

mod accounts;
mod api;
mod catalogue;
mod categories;
mod picture;
mod products;
#[cfg(test)]
mod tests;
mod upload;

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use shared::domain::sealed::SealKey;
use sqlx::PgPool;

pub(crate) use api::Api;
use catalogue::Catalogue;

use crate::steps::accounts::Account;

/// Where the sample shop goes.
pub(crate) struct Target {
    /// The origin of the API, without a path.
    pub(crate) api_url: String,
    /// Who runs the shop.
    pub(crate) admin: Account,
    /// Who owns the sample products.
    pub(crate) seller: Account,
    /// Who buys, with credit in the wallet.
    pub(crate) customer: Account,
    /// The writer, as a role that owns the tables.
    pub(crate) database: PgPool,
    /// What second factors are sealed with.
    pub(crate) seal_key: SealKey,
}

/// What a run added. All zero when everything was there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seeded {
    /// People.
    pub(crate) accounts: u64,
    /// Categories.
    pub(crate) categories: u64,
    /// Products.
    pub(crate) products: u64,
    /// Pictures.
    pub(crate) pictures: u64,
}

/// Seeds the sample shop. `progress` is told how many steps of how many are done.
///
/// # Errors
/// A step failed, which the error names. Running it again goes on from there.
pub(crate) async fn run(target: &Target, progress: impl Fn(u64, u64)) -> Result<Seeded> {
    let catalogue = Catalogue::read()?;
    let accounts = accounts::ensure(target)
        .await
        .context("the sample accounts")?;
    let added = fill(target, catalogue, progress).await?;
    Ok(Seeded { accounts, ..added })
}

/// Fills the catalogue of a shop that has the accounts.
async fn fill(
    target: &Target,
    catalogue: Catalogue,
    progress: impl Fn(u64, u64),
) -> Result<Seeded> {
    let steps = (catalogue.categories.len() + catalogue.products.len()) as u64;
    let done = AtomicU64::new(0);
    let step = || progress(done.fetch_add(1, Ordering::Relaxed) + 1, steps);
    let api = Api::new(&target.api_url)?;
    let categories = categories::ensure(&api, &target.admin, &catalogue.categories, step).await?;
    let (products, pictures) =
        products::ensure(&api, &target.seller, catalogue.products, step).await?;
    Ok(Seeded {
        accounts: 0,
        categories,
        products,
        pictures,
    })
}
