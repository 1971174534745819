//! Starts `order-worker`.
#![recursion_limit = "256"]

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let state: order_worker::AppState = shared::state::start().await?;
    shared::events::serve_batches(state, order_worker::handle).await
}
