//! Starts `checkout`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: checkout::AppState = shared::state::start().await?;
    shared::http::serve(checkout::router(state.clone()), state).await
}
