//! Triggers that are not HTTP: batches of messages and schedules.

mod batch;
mod outbox;

pub use batch::{Failure, handle_batch, serve_batches, serve_schedule};
pub use outbox::{publish, sweep};
