//! The checkout function.
