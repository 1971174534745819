//! Starts `ops`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: ops::AppState = shared::state::start().await?;
    shared::http::serve(ops::router(state.clone()), state).await
}
