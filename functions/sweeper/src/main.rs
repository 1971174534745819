//! Starts `sweeper`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: sweeper::AppState = shared::state::start().await?;
    shared::events::serve_schedule(state, sweeper::run).await
}
