//! Triggers that are not HTTP: batches of messages, schedules, rotations and warm-ups.

mod allowance;
mod batch;
mod consumption;
mod dead_letters;
mod failure;
mod jobs;
mod nudge;
mod outbox;
mod rotation;
mod together;
mod warm_up;

pub use batch::{handle_batch, serve_batches, serve_schedule};
pub use dead_letters::{DeadLetter, keep_batch, serve_dead_letters};
pub use failure::Failure;
pub use jobs::{Jobs, Work, is_overdue};
pub use nudge::{nudge, nudge_all, report};
pub use outbox::{SweepError, publish, send_again, sweep};
pub use rotation::{Rotation, Step, serve_rotations};
pub use together::{Sent, handle_together, serve_together};
pub use warm_up::WarmUp;

#[cfg(test)]
mod batch_tests;
