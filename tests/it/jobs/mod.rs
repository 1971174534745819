//! The scheduled jobs: one run at a time, each recorded, and a missed one noticed.

mod expiry;
mod routes;
mod runner;
mod store;
mod template;
