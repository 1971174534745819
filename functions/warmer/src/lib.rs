//! The warmer function.
