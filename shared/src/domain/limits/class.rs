//! The classes of requests, and what each allows.

use super::{Bucket, Holder, Quota};

/// What is allowed per minute, as deployed; every class is a multiple of one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Requests of one account.
    pub per_user: u32,
    /// Requests of one address on account and checkout routes.
    pub per_address: u32,
}

/// Requests that share a budget. `http/limits.rs` says which routes are which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What a stranger can guess at or have mail sent with: signing in, registering, mailed tokens.
    SignIn,
    /// Refreshing a session, and what the console asks of one. The tokens cannot be guessed, and many people share an address.
    Session,
    /// What charges cards or tries them.
    Checkout,
    /// A cart that is there already: several requests a page.
    Cart,
    /// What browsers report.
    Events,
    /// Every other route.
    Default,
    /// Reading the catalogue. A shop's own front end reads for all its customers.
    Catalogue,
    /// What the payment provider tells: signed, and it tries again for days.
    Webhook,
    /// Health, documentation, keys, and what does not exist.
    Open,
}

/// What a class allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// In headers, and in the names of its buckets.
    pub name: &'static str,
    /// Per account; without one, everybody is counted by address.
    pub user: Option<Quota>,
    /// Per address.
    pub address: Quota,
    /// Whether all environments count together. The others hold each for itself.
    pub shared: bool,
}

impl Class {
    /// The table: name, per account, per address, counted together.
    #[rustfmt::skip] // A table is read by the row.
    pub fn policy(self, allowance: Allowance) -> Policy {
        let user = |times| minute(allowance.per_user, times);
        let address = |times| minute(allowance.per_address, times);
        let (name, user, address, shared) = match self {
            Self::SignIn    => ("sign-in",   None,             address(1), true),
            Self::Session   => ("session",   None,             address(5), true),
            Self::Checkout  => ("checkout",  Some(address(1)), address(1), true),
            Self::Cart      => ("cart",      Some(user(1)),    address(5), true),
            Self::Events    => ("events",    Some(user(1)),    address(5), true),
            Self::Default   => ("default",   Some(user(1)),    address(1), true),
            Self::Catalogue => ("catalogue", None,             user(60),   false),
            Self::Webhook   => ("webhook",   None,             user(60),   false),
            Self::Open      => ("open",      None,             user(60),   false),
        };
        Policy { name, user, address, shared }
    }
}

fn minute(units: u32, times: u32) -> Quota {
    Quota::new(units.saturating_mul(times), 60)
}

impl Policy {
    /// The bucket of `holder`. A user of a class without a user's quota has none
    /// but the address's, so callers ask [`Policy::user`] first.
    pub fn bucket(&self, stage: &str, holder: Holder) -> Bucket {
        let quota = match holder {
            Holder::User(_) => self.user.unwrap_or(self.address),
            Holder::Address(_) => self.address,
        };
        let [kind, key] = holder.key();
        Bucket::new(stage, self.name, &[&kind, &key], quota)
    }
}
