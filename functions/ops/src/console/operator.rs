//! Who looks at a page.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequestParts, OriginalUri, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use shared::http::{
    Admin, ApiError, BASE_PATH, CONSOLE_PATH, CONSOLE_SIGN_IN_PATH, Kind, SteppedUp, console_page,
    console_user,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Failure, words};
use crate::AppState;

/// No form of the console is larger.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// No address is made longer by what was typed.
const TYPED_BYTES_MAX: usize = 2 * 1024;

/// What a form was sent with, as it was sent.
#[derive(Debug, Clone)]
struct Typed(String);

/// An admin who is signed in to the console. Whoever is not is sent to sign in, and comes back.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    admin: Admin,
    is_part: bool,
}

impl Operator {
    /// The same as an admin of the contract's routes.
    pub(crate) fn admin(&self) -> Admin {
        self.admin.clone()
    }

    /// The proof of a second factor. Without one the operator is sent to show it, and comes back to
    /// `page`, which is a form: what was typed into it stands in its query.
    pub(crate) fn stepped_up(&self, page: &str) -> Result<SteppedUp, Failure> {
        let proof = SteppedUp::try_from(self.admin());
        proof.map_err(|_| Failure::Elsewhere {
            location: with_return(&format!("{CONSOLE_PATH}/step-up"), page),
            is_part: self.is_part,
        })
    }

    pub(super) fn id(&self) -> Uuid {
        self.admin.0.id()
    }

    pub(super) fn stepped_up_until(&self) -> Option<String> {
        let user = &self.admin.0;
        let until = user.0.step_up_until.filter(|_| user.has_stepped_up())?;
        let until = OffsetDateTime::from_unix_timestamp(until).ok()?;
        Some(words::time_of_day(until))
    }
}

impl FromRequestParts<AppState> for Operator {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Failure> {
        let is_part = parts.headers.contains_key("hx-request");
        let Some(user) = console_user(parts, state.as_ref()).await? else {
            let location = renewal(&page_of(parts, is_part));
            return Err(Failure::Elsewhere { location, is_part });
        };
        let admin = Admin::try_from(user).map_err(|error| {
            error.detail("The console is for admins. Sign out and use another account.")
        })?;
        Ok(Self { admin, is_part })
    }
}

/// Remembers what a form was sent with, so that whoever must sign in again first finds it in the form
/// afterwards. A token and a second factor end after the same quarter of an hour.
pub(super) async fn keep_typed(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, FORM_BYTES_MAX).await else {
        return ApiError::new(Kind::TooLarge).into_response();
    };
    let typed = std::str::from_utf8(&body).unwrap_or_default();
    if (1..=TYPED_BYTES_MAX).contains(&typed.len()) {
        parts.extensions.insert(Typed(typed.to_owned()));
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

/// Where a session is renewed that can be; otherwise one signs in there.
fn renewal(page: &str) -> String {
    with_return(&format!("{BASE_PATH}{CONSOLE_SIGN_IN_PATH}/renew"), page)
}

/// `location`, and where to go on from there.
pub(super) fn with_return(location: &str, page: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("to", console_page(page));
    format!("{location}?{}", query.finish())
}

/// The page that somebody looks at: of a part of one, the whole; of a form that was sent, the form
/// with what was typed into it, which it takes out of its query.
fn page_of(parts: &Parts, is_part: bool) -> String {
    if is_part {
        return current_page(&parts.headers).unwrap_or_else(|| CONSOLE_PATH.to_owned());
    }
    let uri = parts.extensions.get::<OriginalUri>().map(|uri| &uri.0);
    let path = uri.unwrap_or(&parts.uri).path_and_query();
    let path = path.map_or(CONSOLE_PATH, |path| path.as_str());
    match parts.extensions.get::<Typed>() {
        Some(Typed(typed)) if path.contains('?') => format!("{path}&{typed}"),
        Some(Typed(typed)) => format!("{path}?{typed}"),
        None => path.to_owned(),
    }
}

/// htmx says which page it is on, and at which part of it, which leads nowhere after a redirect.
fn current_page(headers: &HeaderMap) -> Option<String> {
    let url = headers.get("hx-current-url")?.to_str().ok()?;
    let url = url.split('#').next()?;
    let (_, path) = url.split_once("://")?.1.split_once('/')?;
    Some(format!("/{path}"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn page_at(url: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert("hx-current-url", HeaderValue::from_static(url));
        current_page(&headers)
    }

    #[test]
    fn part_of_a_page_leads_back_to_the_page() {
        let page = page_at("https://shop.example/console/switches?done=set#breakers").unwrap();
        assert_eq!(page, "/console/switches?done=set");
        let page = page_at("https://shop.example/console/switches#breakers").unwrap();
        assert_eq!(console_page(&page), "/console/switches");
        assert_eq!(page_at("nonsense"), None);
    }
}
