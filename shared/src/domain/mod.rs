//! Pure rules: money, ids, catalogue, cart, orders, accounts and their errors.
//! Nothing here knows of HTTP, SQL, AWS or the time of day.

pub mod accounts;
pub mod catalogue;
pub mod events;
pub mod idempotency;
pub mod ids;
pub mod money;
