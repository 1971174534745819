//! Starts the warmer function.
fn main() {}
