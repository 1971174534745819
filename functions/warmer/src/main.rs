//! Starts `warmer`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: warmer::AppState = shared::state::start().await?;
    shared::events::serve_schedule(state, warmer::keep_warm).await
}
