//! Triggers that are not HTTP: batches of messages, schedules and warm-ups.

mod batch;
mod failure;
mod outbox;
mod warm_up;

pub use batch::{handle_batch, serve_batches, serve_schedule};
pub use failure::Failure;
mod nudge;
mod outbox;
mod warm_up;

pub use batch::{Failure, handle_batch, serve_batches, serve_schedule};
pub use nudge::nudge;
pub use outbox::{publish, sweep};
pub use warm_up::WarmUp;
