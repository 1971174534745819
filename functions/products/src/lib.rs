//! The products function.
