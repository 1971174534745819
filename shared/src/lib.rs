//! The crate that every function shares.
//!
//! Who may import whom: functions use `http`, `events`, `operations`, `state`,
//! `config` and `telemetry`; these use `store`, `dynamo` and `providers`; those
//! use `resilience`. Everything may use `domain`, which uses none of ours.

// The AWS clients' futures are nested deeply.
#![recursion_limit = "256"]

pub mod clock;
pub mod config;
pub mod context;
pub mod domain;
pub mod dynamo;
pub mod events;
pub mod http;
pub mod operations;
pub mod providers;
pub mod resilience;
pub mod state;
pub mod store;
pub mod telemetry;
