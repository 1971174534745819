//! What went wrong, as a page; or where to go first.

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use shared::http::{ApiError, Problem};

use super::shell;

/// htmx goes where this says, and loads the page as a whole.
const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

/// No problem says more.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;

/// Why a page is not shown.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The browser is to go there first: to sign in, or to show a second factor.
    Elsewhere {
        /// A path of this origin.
        location: String,
        /// Whether a script asks for a part of a page.
        is_part: bool,
    },
    /// Something went wrong.
    Error(ApiError),
}

impl<E: Into<ApiError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

#[derive(Template)]
#[template(path = "console/failure.html")]
struct Page {
    problem: Problem,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Error(error) => error.into_response(),
            Self::Elsewhere {
                location,
                is_part: false,
            } => Redirect::to(&location).into_response(),
            Self::Elsewhere {
                location,
                is_part: true,
            } => {
                let location = HeaderValue::try_from(location);
                let location = location.unwrap_or(HeaderValue::from_static("/console"));
                (StatusCode::NO_CONTENT, [(HX_REDIRECT, location)]).into_response()
            }
        }
    }
}

/// Shows a problem as a page: with its status and headers, and what it says as the body.
pub(super) async fn as_page(mut response: Response) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let body = std::mem::take(response.body_mut());
    let body = to_bytes(body, PROBLEM_BYTES_MAX).await.unwrap_or_default();
    let text = match serde_json::from_slice(&body) {
        Ok(problem) => Page { problem }.render().ok(),
        Err(_) => None,
    };
    let Some(text) = text else {
        *response.body_mut() = Body::from(body);
        return response;
    };
    *response.body_mut() = Body::from(text);
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, shell::HTML);
    headers.insert(header::CONTENT_SECURITY_POLICY, shell::POLICY);
    response
}
