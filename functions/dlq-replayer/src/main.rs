//! Starts `dlq-replayer`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: dlq_replayer::AppState = shared::state::start().await?;
    shared::events::serve_dead_letters(state, dlq_replayer::keep, dlq_replayer::run).await
}
