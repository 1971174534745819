//! How we call what may be gone: policies, deadlines and retries.

mod call;
mod deadline;
pub mod policies;

pub use call::{CallError, Class, Classify, call};
pub use deadline::Deadline;
pub use policies::{Intent, Policy};
