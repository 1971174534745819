//! The local cloud.

pub mod payments;
