//! Starts `mailer`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: mailer::AppState = shared::state::start().await?;
    shared::events::serve_batches(state, mailer::handle).await
}
