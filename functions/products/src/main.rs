//! Starts `products`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: products::AppState = shared::state::start().await?;
    shared::http::serve(products::router(state.clone()), state).await
}
