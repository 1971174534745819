//! Starts the mailer function.
fn main() {}
