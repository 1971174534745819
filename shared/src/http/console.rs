//! What a browser carries for the console: two cookies, which `auth` gives out and the console's
//! pages read. No route of the contract takes them, so no page of anybody else can make a browser
//! use the API. What the cookies open takes forms from its own pages only.

use axum::response::{IntoResponse, Response};
use cookie::{Cookie, SameSite};
use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, header};
use time::Duration;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::caller::verified;
use super::{ApiError, BASE_PATH, Kind, User};
use crate::state::Edge;

/// Where every page of the console is.
pub const CONSOLE_PATH: &str = "/console";

/// Where the sign-in of the console is, below the base path.
pub const CONSOLE_SIGN_IN_PATH: &str = "/auth/console";

/// An access token. Only this origin can set it, for all of its paths, and only over TLS or locally.
const TOKEN: &str = "__Host-holdfast-console";

/// A refresh token, which no page of the console gets to see.
const SESSION: &str = "__Secure-holdfast-console-session";

/// The caller whose cookie holds a good access token; nobody, when it is missing or not good any
/// more.
///
/// # Errors
/// The keys cannot be read.
pub async fn console_user(parts: &Parts, edge: &Edge) -> Result<Option<User>, ApiError> {
    let Some(token) = value_of(&parts.headers, TOKEN) else {
        return Ok(None);
    };
    match verified(edge, &token).await {
        Ok(user) => Ok(Some(user)),
        Err(error) if error.kind() == Kind::Unauthorized => Ok(None),
        Err(error) => Err(error),
    }
}

/// The refresh token that came with a request, as it was given out.
pub fn console_session(headers: &HeaderMap) -> Option<String> {
    value_of(headers, SESSION)
}

/// Has the browser keep an access token for as long as it is good.
pub fn keep_console_token(token: &str, seconds: i64) -> (header::HeaderName, HeaderValue) {
    set(TOKEN, token, "/".to_owned(), Duration::seconds(seconds))
}

/// Has the browser keep a refresh token for as long as its session lasts.
pub fn keep_console_session(token: &str, seconds: i64) -> (header::HeaderName, HeaderValue) {
    set(SESSION, token, session_path(), Duration::seconds(seconds))
}

/// Has the browser forget both.
pub fn forget_console() -> [(header::HeaderName, HeaderValue); 2] {
    [
        set(TOKEN, "", "/".to_owned(), Duration::ZERO),
        set(SESSION, "", session_path(), Duration::ZERO),
    ]
}

/// A page of the console to go on to, if it is one: nobody is sent anywhere else.
pub fn console_page(wanted: &str) -> &str {
    let rest = wanted.strip_prefix(CONSOLE_PATH);
    let is_page = |rest: &str| rest.is_empty() || rest.starts_with(['/', '?']);
    // Without a dot, in clear or encoded, no browser finds a way up in it.
    let path = wanted.split('?').next().unwrap_or_default();
    let is_below = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-_".contains(&byte));
    // Printable ASCII without a backslash is what a header and every browser take literally.
    let is_plain = wanted
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    match rest {
        Some(rest) if is_page(rest) && is_below && is_plain => wanted,
        _ => CONSOLE_PATH,
    }
}

/// Refuses whatever changes something and was not sent by a page of this origin.
///
/// A browser says so itself (`Sec-Fetch-Site`), which no page can change. Only for browsers that do
/// not, `Origin` is compared with `Host`; a proxy that names another host makes that a refusal, never
/// a permission. Who sends neither is no browser, and has no cookie that it was not given on purpose.
pub fn own_pages_only() -> CsrfLayer<fn(ProtectionError) -> Response> {
    CsrfLayer::new().with_rejection_response(refuse_form as fn(ProtectionError) -> Response)
}

fn refuse_form(_: ProtectionError) -> Response {
    let detail = "The form was not sent from this console.";
    ApiError::new(Kind::Forbidden)
        .detail(detail)
        .into_response()
}

fn session_path() -> String {
    format!("{BASE_PATH}{CONSOLE_SIGN_IN_PATH}")
}

fn value_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let sent = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut cookies = sent.flat_map(Cookie::split_parse).flatten();
    let found = cookies.find(|cookie| cookie.name() == name);
    found.map(|cookie| cookie.value().to_owned())
}

fn set(name: &str, value: &str, path: String, age: Duration) -> (header::HeaderName, HeaderValue) {
    let cookie = Cookie::build((name.to_owned(), value.to_owned()))
        .path(path)
        .max_age(age)
        .secure(true)
        .http_only(true)
        // A link from a chat or a mail leads to a page; a form of another site to nothing.
        .same_site(SameSite::Lax);
    // Names and tokens are plain ASCII.
    let value = HeaderValue::try_from(cookie.to_string());
    (
        header::SET_COOKIE,
        value.unwrap_or(HeaderValue::from_static("")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_for_this_origin_and_no_script() {
        let (_, token) = keep_console_token("a.b.c", 900);
        assert_eq!(
            token,
            "__Host-holdfast-console=a.b.c; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900"
        );
        let (_, session) = keep_console_session("r", 60);
        let session = session.to_str().unwrap();
        assert!(session.contains("Path=/api/v1/auth/console"), "{session}");
        for (_, gone) in forget_console() {
            assert!(gone.to_str().unwrap().contains("Max-Age=0"), "{gone:?}");
        }
    }

    #[test]
    fn cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            HeaderValue::from_static("a=1; __Secure-holdfast-console-session=x"),
        );
        headers.append(COOKIE, HeaderValue::from_static("b=2"));
        assert_eq!(console_session(&headers).as_deref(), Some("x"));
        assert_eq!(value_of(&headers, "b").as_deref(), Some("2"));
        assert_eq!(value_of(&headers, "c"), None);
    }

    #[test]
    fn nobody_is_sent_anywhere_but_to_the_console() {
        for page in ["/console", "/console/orders?status=paid", "/console?x=1"] {
            assert_eq!(console_page(page), page);
        }
        for other in [
            "",
            "/",
            "//evil.example",
            "/console.evil.example",
            "/consoles",
            "https://evil.example/console",
            "/console\\..\\x",
            "/console/../api/v1/auth/me",
            "/console/%2E%2e/docs",
            "/console/x#/../y",
            "/console/\r\nset-cookie: x",
            "/console/é",
            "/api/v1/auth/console",
        ] {
            assert_eq!(console_page(other), CONSOLE_PATH, "{other}");
        }
    }
}
