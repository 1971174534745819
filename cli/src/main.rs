//! The command line of Holdfast.

mod seed;

fn main() {}
