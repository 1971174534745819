//! The crate that every function shares.
