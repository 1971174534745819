//! Starts the auth function.
fn main() {}
