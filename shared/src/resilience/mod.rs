//! How we call what may be gone: policies, deadlines, retries and breakers.

mod breaker;
mod breakers;
mod budget;
mod call;
mod failover;
pub mod policies;
mod sampler;

pub use crate::context::Deadline;
pub use breaker::{BreakerState, Forced, Shared};
pub use breakers::{Election, SharedState, breaker, share_breakers};
pub use call::{CallError, Class, Classify, call, full_jitter, probe};
pub use failover::{Targets, failover};
pub use policies::{Dependency, Intent, Policy};
pub use sampler::Sampler;

#[cfg(test)]
mod fault_tests;
