//! What `up` does, a file per step. Each step finds out by itself whether there is anything to do.

pub(crate) mod accounts;
pub(crate) mod budget;
pub(crate) mod build;
pub(crate) mod catalogue;
pub(crate) mod configuration;
pub(crate) mod database;
pub(crate) mod deploy;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod samples;
pub(crate) mod secrets;
pub(crate) mod services;
pub(crate) mod stages;
pub(crate) mod summary;
