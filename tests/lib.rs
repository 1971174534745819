//! Whole flows against the local stack, what is made of all functions together, and what tests of
//! every kind stand on.
#![recursion_limit = "256"]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "Tests say what they expect by failing, and stand outside what is deployed."
)]

pub mod browser;
pub mod client;
pub mod contract;
pub mod database;
pub mod environment;
pub mod faults;
pub mod openapi;
pub mod outage;
pub mod queue;
pub mod raw;
pub mod secrets;
pub mod shop;
pub mod stack;
pub mod state;
pub mod step_up;
pub mod traces;

pub use database::TestDatabase;
pub use faults::Fault;
pub use queue::TestQueue;
pub use secrets::TestSecrets;
pub use stack::{Account, Stack};
pub use state::{state, state_on};
