//! Starts the checkout function.
fn main() {}
