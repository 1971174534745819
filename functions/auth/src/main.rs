//! Starts `auth`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: auth::AppState = shared::state::start().await?;
    shared::http::serve(auth::router(state.clone()), state).await
}
