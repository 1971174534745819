//! Starts `projector`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state = shared::state::start().await?;
    shared::events::serve_together(state, projector::handle).await
}
