//! All SQL, a file per noun; `database.rs` knows the nodes and their pools.

pub mod categories;
pub mod database;
mod errors;
pub mod idempotency;
pub mod images;
pub mod listing;
pub mod migrations;
pub mod outbox;
pub mod products;
pub mod stock;
pub mod variants;

pub use errors::{ChangeError, OnConstraint, StoreError};
