//! Starts `projector`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: projector::AppState = shared::state::start().await?;
    let recent = std::sync::Arc::default();
    let handle = |state, events| projector::handle(state, std::sync::Arc::clone(&recent), events);
    shared::events::serve_together(state, handle).await
}
