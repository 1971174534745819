//! All SQL, a file per noun; `database.rs` knows the nodes and their pools.

pub mod accounts;
pub mod database;
mod errors;
pub mod idempotency;
pub mod migrations;
pub mod order_mail;
pub mod outbox;

pub use errors::{OnConstraint, StoreError};
