//! One test binary.
#![recursion_limit = "256"]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "Tests say what they expect by failing, and stand outside what is deployed."
)]

mod aftermath;
mod alone;
mod analytics;
mod audit;
mod auth;
mod batches;
mod buying;
mod console;
mod dead_letters;
mod docs_page;
mod faults;
mod flags;
mod grants;
mod intents;
mod jobs;
mod journal;
mod last_good;
mod limits;
mod lost_charge;
mod mailer;
mod migrations;
mod offline;
mod openapi;
mod ops;
mod paying;
mod reconciliation;
mod replay;
mod rights;
mod rotation;
mod second_endpoints;
mod security;
mod services_gone;
mod statements;
mod tidy;
mod warmer;
mod without_database;
