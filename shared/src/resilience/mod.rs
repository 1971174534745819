//! How we call what may be gone: policies, deadlines and retries.

mod call;
pub mod policies;

pub use crate::context::Deadline;
pub use call::{CallError, Class, Classify, call};
pub use policies::{Intent, Policy};
