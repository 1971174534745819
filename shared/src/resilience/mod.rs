//! How we call what may be gone: policies, deadlines and retries.

mod call;
mod failover;
pub mod policies;

pub use crate::context::Deadline;
pub use call::{CallError, Class, Classify, call};
pub use failover::{Targets, failover};
pub use policies::{Intent, Policy};
