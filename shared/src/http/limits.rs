//! Which limit holds for which route, and how callers are told.
//!
//! What each class allows is the table in `domain/limits/class.rs`. A request is
//! counted on its account when its access token is good, otherwise on the address
//! that the gateway saw: a made-up token or header counts on nobody else.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{Extensions, HeaderName, HeaderValue, Method};
use lambda_http::request::RequestContext;

use super::caller::user_of;
use super::{ApiError, BASE_PATH, Kind};
use crate::domain::limits::{Class, Holder, Network, Policy};
use crate::dynamo::limits::Judgement;
use crate::state::{AppState, Edge};

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Method, route template below the base path and whatever is below it, class.
/// The first row that fits holds. `GET` is `HEAD` too, `*` is every method.
#[rustfmt::skip] // A table is read by the row.
const ROUTES: &[(&str, &str, Class)] = &[
    ("POST", "/auth/login",            Class::SignIn),
    ("POST", "/auth/register",         Class::SignIn),
    ("POST", "/auth/verify-email",     Class::SignIn),
    ("POST", "/auth/password/forgot",  Class::SignIn),
    ("POST", "/auth/password/reset",   Class::SignIn),
    ("POST", "/auth/refresh",          Class::Session),
    ("POST", "/auth/console/sign-in",  Class::SignIn),
    ("GET",  "/auth/console/renew",    Class::Session),
    // Neither guesses: wrong codes make their own account wait, and nobody may be kept signed in.
    ("POST", "/auth/console/step-up",  Class::Session),
    ("POST", "/auth/console/sign-out", Class::Session),
    ("POST", "/checkout",              Class::Checkout),
    ("POST", "/orders/{id}/pay",       Class::Checkout),
    ("POST", "/payment-methods",       Class::Checkout),
    ("*",    "/carts/{id}",            Class::Cart),
    ("POST", "/webhooks",              Class::Webhook),
    ("POST", "/events",                Class::Events),
    ("GET",  "/products",              Class::Catalogue),
    ("GET",  "/categories",            Class::Catalogue),
    ("GET",  "/health",                Class::Open),
    ("GET",  "/openapi.json",          Class::Open),
    ("*",    "",                       Class::Default),
];

/// The class of a route, by its template. Outside of the base path, and for what
/// is no route at all, everything is open.
pub fn class_of(method: &Method, route: Option<&str>) -> Class {
    let Some(path) = route.and_then(|route| route.strip_prefix(BASE_PATH)) else {
        return Class::Open;
    };
    let method = if method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    ROUTES
        .iter()
        .find(|(of, prefix, _)| (*of == "*" || method == of) && is_at_or_below(path, prefix))
        .map_or(Class::Open, |(_, _, class)| *class)
}

/// The names of parameters do not matter.
fn is_at_or_below(path: &str, prefix: &str) -> bool {
    let mut path = path.split('/');
    prefix.split('/').all(|wanted| {
        path.next()
            .is_some_and(|part| part == wanted || part.starts_with('{') && wanted.starts_with('{'))
    })
}

/// Where a request comes from, as the gateway saw it: what headers say, a client can make up.
#[derive(Debug, Clone, Copy)]
pub struct ClientNetwork(pub Network);

impl<S: Sync> FromRequestParts<S> for ClientNetwork {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self(network(&parts.extensions)))
    }
}

fn network(extensions: &Extensions) -> Network {
    let address = match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        _ => None,
    };
    address
        .and_then(|address| address.parse::<IpAddr>().ok())
        .map_or(Network::UNKNOWN, Network::from)
}

/// Judges a request before anything else looks at it, and tells the caller.
pub(super) async fn limit<P: AsRef<Edge>>(
    State(state): State<AppState<P>>,
    request: Request,
    next: Next,
) -> Response {
    let edge = state.as_ref();
    let route = request.extensions().get::<MatchedPath>();
    let class = class_of(request.method(), route.map(MatchedPath::as_str));
    let (mut parts, body) = request.into_parts();
    let holder = holder(edge, &edge.limits.policy(class), &mut parts).await;
    let judgement = edge.limits.judge(class, holder).await;
    let mut response = if judgement.decision.admitted {
        next.run(Request::from_parts(parts, body)).await
    } else {
        too_many(judgement.decision.reset).into_response()
    };
    // What each environment counts by itself says nothing about the next one, and
    // a cached answer is not about who gets it.
    if judgement.policy.shared || !judgement.decision.admitted {
        tell(&mut response, &judgement);
    }
    response
}

/// The account, where the class counts accounts and the token is good.
async fn holder(edge: &Edge, policy: &Policy, parts: &mut Parts) -> Holder {
    if policy.user.is_some()
        && let Ok(Some(user)) = user_of(parts, edge).await
    {
        let holder = Holder::User(user.id());
        // The handler's extractor need not verify the token again.
        parts.extensions.insert(user);
        return holder;
    }
    Holder::Address(network(&parts.extensions))
}

/// A refusal that says when to come back.
pub fn too_many(wait: Duration) -> ApiError {
    ApiError::new(Kind::RateLimited)
        .detail("Try again after the pause that Retry-After tells, in seconds.")
        .retry_after(wait)
}

/// The fields of draft-ietf-httpapi-ratelimit-headers: what is allowed, what is
/// left, and how long until there is more (nothing left) or all of it again.
fn tell(response: &mut Response, judgement: &Judgement) {
    let (name, quota) = (judgement.policy.name, judgement.quota);
    let (units, window) = (quota.units(), quota.window_seconds());
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::try_from(format!("\"{name}\";q={units};w={window}")) {
        headers.insert(RATE_LIMIT_POLICY, policy);
    }
    let decision = judgement.decision;
    let seconds = decision.reset.as_secs_f64().ceil().max(1.0) as u64;
    let state = format!("\"{name}\";r={};t={seconds}", decision.remaining);
    if let Ok(state) = HeaderValue::try_from(state) {
        headers.insert(RATE_LIMIT, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_has_the_class_of_its_first_row() {
        for (method, route, class) in [
            (Method::POST, "/auth/login", Class::SignIn),
            (Method::POST, "/auth/verify-email/resend", Class::SignIn),
            (Method::POST, "/auth/refresh", Class::Session),
            (Method::POST, "/auth/password/forgot", Class::SignIn),
            (Method::POST, "/auth/password/reset", Class::SignIn),
            (Method::POST, "/auth/password/change", Class::Default),
            (Method::POST, "/auth/step-up", Class::Default),
            (Method::POST, "/auth/console/sign-in", Class::SignIn),
            (Method::POST, "/auth/console/step-up", Class::Session),
            (Method::POST, "/auth/console/sign-out", Class::Session),
            (Method::GET, "/auth/console/renew", Class::Session),
            (Method::GET, "/auth/me", Class::Default),
            (Method::POST, "/checkout", Class::Checkout),
            (Method::POST, "/orders/{order}/pay", Class::Checkout),
            (Method::POST, "/orders/{id}/cancel", Class::Default),
            (Method::GET, "/payment-methods", Class::Default),
            (Method::POST, "/carts", Class::Default),
            (Method::PUT, "/carts/{id}/lines/{sku}", Class::Cart),
            (Method::GET, "/products", Class::Catalogue),
            (Method::HEAD, "/products/{key}", Class::Catalogue),
            (Method::PATCH, "/products/{id}", Class::Default),
            (Method::POST, "/webhooks/stripe", Class::Webhook),
            (Method::POST, "/events", Class::Events),
            (Method::GET, "/products/trending", Class::Catalogue),
            (Method::GET, "/health/ready", Class::Open),
        ] {
            let path = format!("{BASE_PATH}{route}");
            assert_eq!(class_of(&method, Some(&path)), class, "{method} {route}");
        }
    }

    #[test]
    fn what_is_not_below_the_base_path_is_open() {
        let jwks = Some("/.well-known/jwks.json");
        assert_eq!(class_of(&Method::GET, jwks), Class::Open);
        assert_eq!(class_of(&Method::POST, None), Class::Open);
    }

    #[test]
    fn prefix_ends_at_a_slash() {
        assert!(is_at_or_below("/checkout/x", "/checkout"));
        assert!(!is_at_or_below("/checkouts", "/checkout"));
        assert!(!is_at_or_below("/orders", "/orders/{id}/pay"));
    }
}
