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

/// No address of a page is longer.
const PAGE_BYTES_MAX: usize = 4096;

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
    let token = set(TOKEN, "", "/".to_owned(), Duration::ZERO);
    [token, forget_console_session()]
}

/// Has the browser forget the refresh token.
pub fn forget_console_session() -> (header::HeaderName, HeaderValue) {
    set(SESSION, "", session_path(), Duration::ZERO)
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
    let is_short = wanted.len() <= PAGE_BYTES_MAX;
    match rest {
        Some(rest) if is_page(rest) && is_below && is_plain && is_short => wanted,
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

/// The value of a cookie. Of two with one name, one was set by a neighbouring host, and which one is
/// not to be told: none is taken. What other applications write into theirs may be in any encoding.
fn value_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let sent = headers.get_all(COOKIE).iter();
    let mut found = sent
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .flat_map(Cookie::split_parse)
        .flatten()
        .filter(|cookie| cookie.name() == name);
    let (first, second) = (found.next()?, found.next());
    second.is_none().then(|| first.value().to_owned())
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
    fn of_two_cookies_with_one_name_none_is_taken() {
        let (ours, theirs) = ("s=ours", "s=theirs");
        for sent in [
            vec!["s=ours; s=theirs"],
            vec![ours, theirs],
            vec![theirs, ours],
        ] {
            let mut headers = HeaderMap::new();
            for value in sent {
                headers.append(COOKIE, HeaderValue::from_static(value));
            }
            assert_eq!(value_of(&headers, "s"), None, "{headers:?}");
        }
    }

    #[test]
    fn cookies_of_other_applications_may_be_in_any_encoding() {
        let mut headers = HeaderMap::new();
        for value in [
            &b"a=\xe9t\xe9; __Host-holdfast-console=x"[..],
            "name=Jos\u{e9}; b=2".as_bytes(),
        ] {
            headers.append(COOKIE, HeaderValue::from_bytes(value).unwrap());
        }
        assert_eq!(value_of(&headers, TOKEN).as_deref(), Some("x"));
        assert_eq!(value_of(&headers, "b").as_deref(), Some("2"));
    }

    #[test]
    fn way_back_is_no_longer_than_an_address() {
        let page = |bytes: usize| format!("{:x<bytes$}", "/console?");
        let longest = page(PAGE_BYTES_MAX);
        assert_eq!(console_page(&longest), longest);
        assert_eq!(console_page(&page(PAGE_BYTES_MAX + 1)), CONSOLE_PATH);
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
