//! Whole flows against the local stack, and what is made of all functions together.

pub mod openapi;
