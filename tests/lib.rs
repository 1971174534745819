//! Whole flows against the local stack.
