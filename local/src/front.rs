//! The API's one address. Passes every request on to the emulator's HTTP API, whose own host name
//! does not resolve everywhere and whose id changes with each deployment of a new stack.

use anyhow::{Context, Result};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;

/// What an HTTP API of API Gateway takes at most.
const BODY_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Only the front may say where a request comes from; the emulator hands it to the functions.
const CLIENT_ADDRESS: HeaderName = HeaderName::from_static("x-holdfast-client-address");

/// Meaningful between two neighbours only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Where requests go.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// The emulator.
    pub address: SocketAddr,
    /// The file with the present API's id. It is read for each request, so that a deployment that
    /// made a new API is noticed.
    pub api_id_file: PathBuf,
}

struct Front {
    upstream: Upstream,
    port: u16,
    client: Client<HttpConnector, Full<bytes::Bytes>>,
}

/// Serves until the process ends.
///
/// # Errors
/// The listener fails.
pub async fn serve(listener: TcpListener, upstream: Upstream) -> Result<()> {
    let port = listener.local_addr()?.port();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    let front = Arc::new(Front {
        upstream,
        port,
        client,
    });
    let router = Router::new().fallback(pass_on).with_state(front);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service)
        .await
        .context("The front's listener failed.")
}

async fn pass_on(
    State(front): State<Arc<Front>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response {
    match front.forward(peer.ip(), request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

impl Front {
    async fn forward(&self, peer: IpAddr, request: Request<Body>) -> Result<Response, Refusal> {
        let api_id = tokio::fs::read_to_string(&self.upstream.api_id_file).await;
        let api_id = api_id.map_err(|_| Refusal::NotDeployed)?;
        let (mut parts, body) = request.into_parts();
        parts.uri = self.target(&parts.uri).map_err(|_| Refusal::BadTarget)?;
        self.rewrite_headers(&mut parts.headers, peer, api_id.trim())?;
        let body = Limited::new(body, BODY_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Refusal::TooLarge
                } else {
                    Refusal::Unreadable
                }
            })?;
        let request = Request::from_parts(parts, Full::new(body.to_bytes()));
        let response = self.client.request(request).await.map_err(|error| {
            if error.is_connect() {
                Refusal::Away
            } else {
                Refusal::NoAnswer
            }
        })?;
        let (mut parts, body) = response.into_parts();
        remove_hop_by_hop(&mut parts.headers);
        Ok(Response::from_parts(parts, Body::new(body)))
    }

    /// Only scheme and authority are put in front; path and query stay as they came, byte for byte.
    fn target(&self, uri: &Uri) -> Result<Uri> {
        let mut parts = uri.clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(Authority::try_from(self.upstream.address.to_string())?);
        // `OPTIONS *` has no path that an API could know.
        parts
            .path_and_query
            .get_or_insert(http::uri::PathAndQuery::from_static("/"));
        Ok(Uri::from_parts(parts)?)
    }

    fn rewrite_headers(
        &self,
        headers: &mut HeaderMap,
        peer: IpAddr,
        api_id: &str,
    ) -> Result<(), Refusal> {
        let length = headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > BODY_BYTES_MAX) {
            return Err(Refusal::TooLarge);
        }
        remove_hop_by_hop(headers);
        // The body goes on in one piece, with a length of its own.
        headers.remove(CONTENT_LENGTH);
        headers.remove("expect");
        headers.remove("forwarded");
        let host = format!(
            "{api_id}.execute-api.localhost:{}",
            self.upstream.address.port()
        );
        let set = [
            (HOST, host),
            (CLIENT_ADDRESS, peer.to_string()),
            (HeaderName::from_static("x-forwarded-for"), peer.to_string()),
            (HeaderName::from_static("x-forwarded-proto"), "http".into()),
            (
                HeaderName::from_static("x-forwarded-port"),
                self.port.to_string(),
            ),
        ];
        for (name, value) in set {
            // An id that is no header value is none of ours.
            let value = HeaderValue::try_from(value).map_err(|_| Refusal::NotDeployed)?;
            headers.insert(name, value);
        }
        Ok(())
    }
}

/// Removes what is meant for the neighbour alone.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<String> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| {
            value
                .split(',')
                .map(|name| name.trim().to_ascii_lowercase())
        })
        .collect();
    for name in HOP_BY_HOP
        .into_iter()
        .chain(named.iter().map(String::as_str))
    {
        headers.remove(name);
    }
}

/// Why the front answers by itself.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    NotDeployed,
    Away,
    NoAnswer,
    TooLarge,
    Unreadable,
    BadTarget,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, detail) = match self {
            Self::NotDeployed => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The application is not deployed on the local stack yet. Run: cargo holdfast up",
            ),
            Self::Away => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The AWS emulator is not running. Run: cargo holdfast up",
            ),
            Self::NoAnswer => (
                StatusCode::BAD_GATEWAY,
                "The AWS emulator broke off. See: cargo holdfast logs ministack",
            ),
            // The gateway's own words.
            Self::TooLarge => {
                return gateway_refusal(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
            }
            Self::Unreadable | Self::BadTarget => {
                return gateway_refusal(StatusCode::BAD_REQUEST, "Bad Request");
            }
        };
        let title = status.canonical_reason().unwrap_or_default();
        let problem = serde_json::json!({
            "type": "/problems/local-stack", "title": title, "status": status.as_u16(), "detail": detail,
        });
        let headers = [
            ("content-type", "application/problem+json"),
            ("retry-after", "5"),
        ];
        (status, headers, problem.to_string()).into_response()
    }
}

fn gateway_refusal(status: StatusCode, message: &str) -> Response {
    let body = serde_json::json!({ "message": message }).to_string();
    (status, [("content-type", "application/json")], body).into_response()
}

#[cfg(test)]
mod tests;
