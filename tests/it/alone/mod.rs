//! What disturbs every other test, because it takes the stack's own servers away: run one at a
//! time, with nothing beside it (`.config/nextest.toml`).
#![expect(
    clippy::print_stdout,
    reason = "How soon customers can buy again is measured, and shown with the test's output."
)]

mod environments;
mod failover;
mod journal;
mod nodes;
mod rotations;
mod schema;
mod warmer;
