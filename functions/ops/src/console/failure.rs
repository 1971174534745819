//! What went wrong, as a page; or where to go first.

use askama::Template;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use shared::http::{ApiError, CONSOLE_PATH, Problem};

use super::shell;

/// htmx goes where this says, and loads the page as a whole.
const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");

/// No field of a form has a longer name.
const NAME_BYTES_MAX: usize = 24;

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

impl Page {
    /// A parameter is whatever stands in a link, which may be a sentence of somebody else's: only
    /// what may be a name is shown.
    fn of(mut problem: Problem) -> Self {
        // The fields stand below, and the title above.
        let repeats = |detail: &String| detail.starts_with(&problem.title);
        if !problem.errors.is_empty() || problem.detail.as_ref().is_some_and(repeats) {
            problem.detail = None;
        }
        for error in &mut problem.errors {
            if !is_name(&error.pointer) {
                error.pointer.clear();
            }
        }
        Self { problem }
    }
}

fn is_name(pointer: &str) -> bool {
    let mut bytes = pointer.bytes();
    let is_plain = bytes.all(|byte| byte.is_ascii_lowercase() || b"_/".contains(&byte));
    is_plain && pointer.len() <= NAME_BYTES_MAX
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

/// Shows a problem as a page wherever a page was asked for. Outside of every other layer, because
/// deadlines and panics are answered out there.
pub(crate) async fn never_a_problem(request: Request, next: Next) -> Response {
    let rest = request.uri().path().strip_prefix(CONSOLE_PATH);
    let is_page = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let response = next.run(request).await;
    if is_page && is_problem(&response) {
        as_page(response).await
    } else {
        response
    }
}

/// A form that is shown again says itself what is wrong.
fn is_problem(response: &Response) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let is_json = content_type.is_some_and(|value| value == "application/problem+json");
    let status = response.status();
    is_json && (status.is_client_error() || status.is_server_error())
}

/// The same with its status and headers, and what it says as the body.
async fn as_page(mut response: Response) -> Response {
    let body = std::mem::take(response.body_mut());
    let body = to_bytes(body, PROBLEM_BYTES_MAX).await.unwrap_or_default();
    let text = match serde_json::from_slice(&body) {
        Ok(problem) => Page::of(problem).render().ok(),
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
    headers.extend([shell::OPENER]);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_be_a_name_is_shown_as_one() {
        for name in ["limit", "error_class", "/reason", ""] {
            assert!(is_name(name), "{name}");
        }
        for odd in ["Call 555", "call 555", "CALL", "<b>", "a.example", "é"] {
            assert!(!is_name(odd), "{odd}");
        }
        assert!(is_name(&"a".repeat(24)) && !is_name(&"a".repeat(25)));
    }
}
