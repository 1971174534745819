//! The local cloud: everything that the deployed system stands on, on this machine and on loopback.
//!
//! The command line starts and stops it, tests use it; nothing that is deployed knows of it.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "Servers of the local stack are processes: they spawn, ask for the time and read the environment."
)]

pub mod aws;
pub mod drill;
pub mod faults;
pub mod front;
pub mod journal;
pub mod payments;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod smtp;
pub mod stack;
pub mod template;
pub mod tools;

pub use process::Service;
pub use stack::{Port, Stack};
