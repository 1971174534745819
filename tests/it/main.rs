//! One test binary.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "Tests say what they expect by failing, and stand outside what is deployed."
)]

mod grants;
mod statements;
mod tidy;
