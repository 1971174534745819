//! One test binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod docs_page;
mod offline;
mod openapi;
mod ops;
mod warmer;
