//! Requests one by one, for the faults that happen to requests and not to bytes.

use super::answers;
use super::dependency::Service;
use super::flow::hits;
use super::kind::Kind;
use super::proxy::Proxy;
use crate::front::remove_hop_by_hop;
use axum::body::Body;
use axum::response::Response;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Request, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::DuplexStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Serves one connection.
///
/// # Errors
/// The connection must be reset: the dependency is not there, or its answer is to be lost.
pub(super) async fn serve(
    io: DuplexStream,
    proxy: &Proxy,
    service: Service,
) -> Result<(), hyper::Error> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let answer = service_fn(|request| answer(proxy, service, &client, request));
    http1::Builder::new()
        .serve_connection(TokioIo::new(io), answer)
        .await
}

async fn answer(
    proxy: &Proxy,
    service: Service,
    client: &Client<HttpConnector, Body>,
    request: Request<Incoming>,
) -> Result<Response, Failure> {
    let fault = *proxy.fault.borrow();
    let said: Option<fn(Service, &http::request::Parts) -> Response> = match fault {
        Some(Kind::Error(percent)) if hits(percent) => Some(answers::failed),
        Some(Kind::Throttle(percent)) if hits(percent) => Some(answers::throttled),
        _ => None,
    };
    let (parts, body) = request.into_parts();
    if let Some(said) = said {
        // Whoever is still sending would take a closed connection for the answer.
        body.collect().await?;
        return Ok(said(service, &parts));
    }
    let is_lost = fault == Some(Kind::ChargeThenDrop) && moves_money(&parts);
    let response = forward(proxy, client, parts, body).await?;
    if is_lost {
        response.into_body().collect().await?;
        return Err("the answer is lost".into());
    }
    Ok(response)
}

/// Whether a request to the payment provider charges, captures, cancels or pays back.
fn moves_money(parts: &http::request::Parts) -> bool {
    let path = parts.uri.path();
    let moves = ["/v1/payment_intents", "/v1/refunds"];
    parts.method == Method::POST && moves.iter().any(|begin| path.starts_with(begin))
}

async fn forward(
    proxy: &Proxy,
    client: &Client<HttpConnector, Body>,
    mut parts: http::request::Parts,
    body: Incoming,
) -> Result<Response, Failure> {
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(Authority::try_from(proxy.upstream.to_string())?);
    uri.path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    parts.uri = Uri::from_parts(uri)?;
    remove_hop_by_hop(&mut parts.headers);
    // Answered here already, when the body was asked for.
    parts.headers.remove("expect");
    let response = client
        .request(Request::from_parts(parts, Body::new(body)))
        .await?;
    let (mut parts, body) = response.into_parts();
    remove_hop_by_hop(&mut parts.headers);
    Ok(Response::from_parts(parts, Body::new(body)))
}
