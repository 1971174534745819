//! Starts the sweeper function.
fn main() {}
