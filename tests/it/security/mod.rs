//! What attackers try, on the deployed stack: one table per kind of attack, walked over every
//! operation of the contract, every body, every function or every column.

mod bodies;
mod canary;
mod cursors;
mod matrix;
mod paths;
mod rights;
mod scene;
mod table;
pub(crate) mod tokens;
mod webhooks;
