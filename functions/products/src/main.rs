//! Starts the products function.
fn main() {}
