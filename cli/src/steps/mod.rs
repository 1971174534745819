//! What `up` does, a file per step. Each step finds out by itself whether there is anything to do.

pub mod accounts;
pub mod build;
pub mod database;
pub mod deploy;
pub mod lock;
pub mod machine;
pub mod secrets;
pub mod services;
pub mod summary;
