//! What the forms of the console answer: where the browser goes on, and what it keeps.

use axum::body::Body;
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use shared::context;
use shared::http::{ApiError, CONSOLE_PATH, Kind, console_page, forget_console};

/// A header that has a browser keep or forget something.
pub(super) type SetCookie = (HeaderName, HeaderValue);

/// Why somebody is asked again, in a word that stands in an address and tells no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// The address and the password do not match an account.
    Credentials,
    /// It is not a good code.
    Code,
    /// Too many tries.
    TooMany,
    /// The account has no second factor.
    NoFactor,
    /// They are somebody, and no admin. Whoever reads it has shown the password.
    NotAdmin,
    /// Something that signing in needs is away.
    Away,
    /// The form came from elsewhere.
    Foreign,
    /// Whatever else went wrong.
    Failed,
    /// Nothing did: they signed out.
    SignedOut,
    /// They did, but the session could not be ended.
    SignedOutHere,
}

impl Problem {
    /// What an error comes to, which is logged. `refused` is what credentials that are not good mean.
    pub(super) fn of(error: &ApiError, refused: Self) -> Self {
        error.log();
        match error.kind() {
            Kind::InvalidCredentials | Kind::Invalid => refused,
            Kind::RateLimited => Self::TooMany,
            Kind::Conflict => Self::NoFactor,
            Kind::Unavailable | Kind::Timeout => Self::Away,
            _ => Self::Failed,
        }
    }

    /// The same, told to the log by its word: the status of every form is that of a redirect.
    pub(super) fn logged(self) -> Self {
        tracing::warn!(
            request.id = context::request_id(),
            problem = self.word(),
            "the console refused somebody"
        );
        self
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Code => "code",
            Self::TooMany => "too-many",
            Self::NoFactor => "no-factor",
            Self::NotAdmin => "not-admin",
            Self::Away => "away",
            Self::Foreign => "foreign",
            Self::Failed => "failed",
            Self::SignedOut => "signed-out",
            Self::SignedOutHere => "signed-out-here",
        }
    }
}

/// A redirect to a page of the console, with cookies. Not for a log: those hold tokens.
pub(super) struct Onwards {
    location: String,
    cookies: Vec<SetCookie>,
}

impl Onwards {
    /// To the page that was asked for, or the first one.
    pub(super) fn to_page(wanted: &str) -> Self {
        Self {
            location: console_page(wanted).to_owned(),
            cookies: Vec::new(),
        }
    }

    /// To where one signs in.
    pub(super) fn to_sign_in(problem: Option<Problem>, wanted: &str) -> Self {
        Self::asking_at("sign-in", problem, wanted)
    }

    /// To where one shows a second factor.
    pub(super) fn to_step_up(problem: Option<Problem>, wanted: &str) -> Self {
        Self::asking_at("step-up", problem, wanted)
    }

    fn asking_at(page: &str, problem: Option<Problem>, wanted: &str) -> Self {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(problem) = problem {
            query.append_pair("problem", problem.word());
        }
        query.append_pair("to", console_page(wanted));
        Self {
            location: format!("{CONSOLE_PATH}/{page}?{}", query.finish()),
            cookies: Vec::new(),
        }
    }

    /// And these cookies.
    pub(super) fn with(mut self, cookies: impl IntoIterator<Item = SetCookie>) -> Self {
        self.cookies.extend(cookies);
        self
    }
}

impl IntoResponse for Onwards {
    fn into_response(self) -> Response {
        let cookies = AppendHeaders(self.cookies);
        (cookies, Redirect::to(&self.location)).into_response()
    }
}

/// The page that the query of a form's address asks for.
pub(super) fn wanted(query: &str) -> String {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let to = pairs.find(|(name, _)| name == "to");
    to.map_or_else(String::new, |(_, page)| page.into_owned())
}

/// The same answer as a redirect: what its status means is said by the page.
pub(super) fn instead_of(response: Response, wanted: &str) -> Response {
    let problem = match response.status() {
        // Somebody typed the address of a form, or looks at it again.
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => None,
        StatusCode::FORBIDDEN => Some(Problem::Foreign),
        StatusCode::TOO_MANY_REQUESTS => Some(Problem::TooMany),
        StatusCode::SERVICE_UNAVAILABLE => Some(Problem::Away),
        _ => Some(Problem::Failed),
    };
    redirected(response, Onwards::to_sign_in(problem, wanted))
}

/// The same for who wanted to sign out: the browser does forget them.
pub(super) fn signed_out_instead_of(response: Response) -> Response {
    let onwards = Onwards::to_sign_in(Some(Problem::SignedOutHere), "");
    redirected(response, onwards.with(forget_console()))
}

/// What an answer says to machines is kept.
fn redirected(mut response: Response, onwards: Onwards) -> Response {
    *response.status_mut() = StatusCode::SEE_OTHER;
    *response.body_mut() = Body::empty();
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.remove(header::CONTENT_LENGTH);
    if let Ok(location) = HeaderValue::try_from(onwards.location) {
        headers.insert(header::LOCATION, location);
    }
    for (name, value) in onwards.cookies {
        headers.append(name, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(onwards: Onwards) -> String {
        let response = onwards.into_response();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        location.to_owned()
    }

    #[test]
    fn way_back_is_kept_and_leads_to_the_console_only() {
        let page = "/console/orders?status=paid&x=1";
        assert_eq!(location(Onwards::to_page(page)), page);
        let asked = location(Onwards::to_sign_in(Some(Problem::Code), page));
        assert_eq!(
            asked,
            "/console/sign-in?problem=code&to=%2Fconsole%2Forders%3Fstatus%3Dpaid%26x%3D1"
        );
        for elsewhere in [
            "https://evil.example",
            "//evil.example",
            "/api/v1/auth/me",
            "",
        ] {
            assert_eq!(location(Onwards::to_page(elsewhere)), "/console");
            let asked = location(Onwards::to_step_up(None, elsewhere));
            assert_eq!(asked, "/console/step-up?to=%2Fconsole");
        }
    }

    #[test]
    fn every_cookie_is_set() {
        let cookie = |value| (header::SET_COOKIE, HeaderValue::from_static(value));
        let onwards = Onwards::to_page("")
            .with([cookie("a=1")])
            .with([cookie("b=2")]);
        let response = onwards.into_response();
        let set: Vec<_> = response
            .headers()
            .get_all(header::SET_COOKIE)
            .iter()
            .collect();
        assert_eq!(set, ["a=1", "b=2"]);
    }

    #[test]
    fn problem_becomes_a_redirect_that_keeps_what_it_says_to_machines() {
        for (kind, word) in [
            (Kind::RateLimited, Some("too-many")),
            (Kind::Forbidden, Some("foreign")),
            (Kind::Timeout, Some("away")),
            (Kind::Internal, Some("failed")),
            (Kind::UnsupportedMediaType, Some("failed")),
            (Kind::MethodNotAllowed, None),
        ] {
            let page = "/console/orders";
            let response = instead_of(ApiError::new(kind).into_response(), page);
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            let headers = response.headers();
            assert!(!headers.contains_key(header::CONTENT_TYPE));
            let query = word.map_or_else(String::new, |word| format!("problem={word}&"));
            let location = format!("/console/sign-in?{query}to=%2Fconsole%2Forders");
            assert_eq!(headers[header::LOCATION], location.as_str());
            assert!(!headers.contains_key(header::SET_COOKIE));
        }
    }

    #[test]
    fn page_that_was_asked_for_is_taken_from_the_query() {
        for (query, page) in [
            ("to=%2Fconsole%2Forders%3Fx%3D1", "/console/orders?x=1"),
            ("a=b&to=/console", "/console"),
            ("a=b", ""),
            ("", ""),
        ] {
            assert_eq!(wanted(query), page, "{query}");
        }
    }

    #[test]
    fn whoever_signs_out_is_forgotten_whatever_goes_wrong() {
        let response = signed_out_instead_of(ApiError::new(Kind::RateLimited).into_response());
        let headers = response.headers();
        let location = "/console/sign-in?problem=signed-out-here&to=%2Fconsole";
        assert_eq!(headers[header::LOCATION], location);
        let forgotten = headers.get_all(header::SET_COOKIE).iter();
        let forgotten = forgotten.filter(|value| value.to_str().unwrap().contains("Max-Age=0"));
        assert_eq!(forgotten.count(), 2);
    }
}
