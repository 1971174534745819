//! Starts `key-rotator`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: key_rotator::AppState = shared::state::start().await?;
    shared::events::serve_rotations(state, key_rotator::rotate).await
}
