//! What is around every page: its title, where one can go, who is signed in.

use askama::Template;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use shared::http::ApiError;
use uuid::Uuid;

use super::{Answer, Operator};

/// Pages load their own style and script, and forms go to this origin; nothing from elsewhere.
pub(super) const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// No window of another origin that opened a page, or that it opens, gets hold of it.
pub(super) const OPENER: (HeaderName, HeaderValue) = (
    HeaderName::from_static("cross-origin-opener-policy"),
    HeaderValue::from_static("same-origin"),
);

pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// A part of the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tab {
    /// What is well and what is not.
    Overview,
    /// What consumers gave up.
    DeadLetters,
    /// What customers bought.
    Orders,
    /// Kill switches and breakers.
    Switches,
}

impl Tab {
    /// All of them, as they stand on the page.
    pub(crate) const ALL: [Self; 4] = [
        Self::Overview,
        Self::DeadLetters,
        Self::Orders,
        Self::Switches,
    ];

    /// What it is called.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::DeadLetters => "Dead letters",
            Self::Orders => "Orders",
            Self::Switches => "Switches",
        }
    }

    /// Where it is.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/console",
            Self::DeadLetters => "/console/dead-letters",
            Self::Orders => "/console/orders",
            Self::Switches => "/console/switches",
        }
    }
}

/// What a page says of itself.
#[derive(Debug)]
pub(crate) struct Shell {
    /// The page's heading and title.
    pub(crate) title: String,
    /// The part that it belongs to.
    pub(crate) tab: Tab,
    /// Whose session it is.
    pub(crate) who: Uuid,
    /// Until when the operator need show no second factor; nothing, when they must.
    pub(crate) stepped_up: Option<String>,
    /// What was done just now, in a sentence.
    pub(crate) done: Option<&'static str>,
}

impl Shell {
    /// The frame of a page that `operator` looks at.
    pub(crate) fn new(operator: &Operator, tab: Tab, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            tab,
            who: operator.id(),
            stepped_up: operator.stepped_up_until(),
            done: None,
        }
    }
}

/// A page as it is answered.
pub(crate) fn page(template: &impl Template) -> Answer {
    let text = template.render().map_err(ApiError::internal)?;
    let policies = [(header::CONTENT_SECURITY_POLICY, POLICY), OPENER];
    let response: Response = (policies, Html(text)).into_response();
    Ok(response)
}
