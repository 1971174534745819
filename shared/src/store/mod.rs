//! All SQL, a file per noun; `database.rs` knows the nodes and their pools.

pub mod accounts;
pub mod activities;
pub mod audit;
pub mod backlog;
pub mod categories;
pub mod database;
pub mod dead_letters;
pub mod erasure;
mod errors;
pub mod fulfilments;
pub mod idempotency;
pub mod images;
pub mod jobs;
pub mod last_good;
pub mod listing;
pub mod logins;
pub mod mail_tokens;
pub mod migrations;
pub mod order_mail;
pub mod order_trail;
pub mod orders;
pub mod outbox;
pub mod payment_methods;
pub mod payments;
pub mod products;
pub mod rates;
pub mod recommendations;
pub mod reconciliation;
pub mod refunds;
pub mod reservations;
pub mod stock;
pub mod totp;
pub mod variants;
pub mod wallets;
pub mod webhooks;

pub use errors::{ChangeError, OnConstraint, StoreError};
// A function passes a connection on within its transaction, and can do nothing else with it.
pub use sqlx::PgConnection;
