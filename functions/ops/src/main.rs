//! Starts the ops function.
fn main() {}
