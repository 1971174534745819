//! Serves a router as a Lambda function.

use axum::Router;
use futures::FutureExt;
use lambda_http::Adapter;
use lambda_http::request::LambdaRequest;
use lambda_runtime::{Error, LambdaEvent, Service, service_fn};
use serde_json::value::RawValue;

use crate::context::{self, Context};
use crate::events::WarmUp;
use crate::resilience::Deadline;
use crate::resilience::policies::REQUEST_TIMEOUT;
use crate::state::{AppState, Edge};

/// Whether an event is the warmer's: it is not an HTTP event, and is answered
/// after touching what a request would need.
pub fn is_warm_up(event: &RawValue) -> bool {
    event.get().starts_with("{\"warm_up\":")
}

/// Serves `router` until the environment is shut down.
///
/// # Errors
/// The runtime's own; a request's failure is an answer.
pub async fn serve<P: AsRef<Edge>>(router: Router, state: AppState<P>) -> Result<(), Error> {
    let handle = |event: LambdaEvent<Box<RawValue>>| {
        let (router, state) = (router.clone(), state.clone());
        let answer = async move {
            if is_warm_up(&event.payload) {
                let warm_up = WarmUp::parse(event.payload.get())?;
                let context = Context {
                    request_id: event.context.request_id,
                    deadline: Deadline::after(REQUEST_TIMEOUT),
                };
                context::scope(context, warm_up.run(state.as_ref())).await;
                return Ok::<_, Error>(RawValue::from_string("{\"warm\":true}".to_owned())?);
            }
            let request: LambdaRequest = serde_json::from_str(event.payload.get())?;
            let response = Adapter::from(router)
                .call(LambdaEvent::new(request, event.context))
                .await?;
            Ok(serde_json::value::to_raw_value(&response)?)
        };
        // Boxed, because the futures of all routes together are nested too deeply for a layout.
        answer.boxed_local()
    };
    lambda_runtime::run(service_fn(handle)).await
}
