//! Pure rules: money, ids, catalogue, cart, orders, accounts and their errors.
//! Nothing here knows of HTTP, SQL, AWS or the time of day.

pub mod accounts;
pub mod activity;
pub mod address;
pub mod audit;
pub mod cart;
pub mod catalogue;
pub mod dead_letters;
pub mod events;
pub mod flags;
pub mod idempotency;
pub mod ids;
pub mod intent;
pub mod jobs;
pub mod limits;
pub mod money;
pub mod order;
pub mod payment;
pub mod pricing;
pub mod sealed;
pub mod secrets;
pub mod sessions;
pub mod totp;
pub mod trace;
pub mod trending;
