//! Starts the order-worker function.
fn main() {}
