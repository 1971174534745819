//! What disturbs every other test, because it takes the stack's own servers away: run one at a
//! time, with nothing beside it (`.config/nextest.toml`).

mod failover;
mod nodes;
