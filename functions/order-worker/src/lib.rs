//! The order-worker function.
