//! What browsers report of what people do.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::clock;
use shared::context;
use shared::domain::activity::{self, Activity, ActivityKind};
use shared::events;
use shared::http::{ApiError, Json, Problem};
use shared::resilience::policies::{REPORTED_AHEAD, REPORTED_WITHIN};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;

/// Events in one report.
const EVENTS_MAX: usize = 100;

/// Characters of a search, as in the list of products.
const QUERY_MAX: usize = 200;

/// Characters of a session's name.
const SESSION_MAX: usize = 128;

/// What an answer was made without when the report went nowhere, or only a part of it.
const MISSING: &str = "analytics";

/// What people did.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"events": [
    {"id": "019a0000-0000-7000-8000-000000000001", "type": "product_viewed",
        "occurred_at": "2026-11-01T12:00:00Z", "product_id": "019a0000-0000-7000-8000-0000000000cc",
        "session_id": "b3f1c2d4"},
    {"id": "019a0000-0000-7000-8000-000000000002", "type": "search",
        "occurred_at": "2026-11-01T12:00:05Z", "query": "ceramic mug", "session_id": "b3f1c2d4"},
]}))]
pub struct Report {
    /// From 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    events: Vec<Reported>,
}

/// One thing that somebody did.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reported {
    /// Made by the browser; a repeat counts once.
    id: Uuid,
    /// What it was.
    #[serde(rename = "type")]
    type_: ActivityKind,
    /// When, within the last 24 hours.
    #[serde(with = "time::serde::rfc3339")]
    occurred_at: OffsetDateTime,
    /// Which product was viewed or added to a cart.
    #[serde(default)]
    product_id: Option<Uuid>,
    /// What was searched for, with `search`. It is not kept.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 200, example = "ceramic mug")]
    query: Option<String>,
    /// The same for all that one visitor does, and nothing about them. Only its hash is kept. Who
    /// has none is no visitor in the figures.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 128, example = "b3f1c2d4")]
    session_id: Option<String>,
}

/// What became of a report.
#[derive(Debug, Serialize, ToSchema)]
pub struct Taken {
    /// How many events it had.
    #[schema(example = 3)]
    received: usize,
    /// How many of them are counted.
    #[schema(example = 3)]
    kept: usize,
    /// Each of these stands for so many: under pressure one in ten or in a hundred is kept.
    #[schema(example = 1)]
    one_in: u32,
}

/// Reports what people look at, search for and put into carts.
///
/// It feeds what is trending and the shop's figures, some seconds later. `X-Degraded: analytics`:
/// not all is counted, and `kept` and `one_in` tell how much.
#[utoipa::path(
    post, path = "/events", tag = "catalogue", request_body = Report,
    responses(
        (status = 202, body = Taken, description = "Taken",
            headers(("X-Degraded" = String, description = "`analytics`: not all is counted"))),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "The body is not JSON"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is at fault; nothing is counted"),
    )
)]
pub async fn post_events(
    State(state): State<AppState>,
    Json(report): Json<Report>,
) -> Result<(StatusCode, Json<Taken>), ApiError> {
    let received = report.events.len();
    let mut activities = activities(report, clock::now())?;
    let one_in = state.sampler.weigh(received);
    activities.retain(|activity| activity.is_kept(one_in));
    let mut kept = activities.len();
    if kept > 0 && !events::report(&state, one_in, activities).await {
        kept = 0;
    }
    if kept < received {
        context::degraded(MISSING);
    }
    let taken = Taken {
        received,
        kept,
        one_in,
    };
    Ok((StatusCode::ACCEPTED, Json(taken)))
}

fn activities(report: Report, now: OffsetDateTime) -> Result<Vec<Activity>, ApiError> {
    if !(1..=EVENTS_MAX).contains(&report.events.len()) {
        return Err(ApiError::invalid("/events", "must be from 1 to 100 events"));
    }
    let activity = |(index, reported): (usize, Reported)| {
        reported.understood(now).map_err(|(field, reason)| {
            ApiError::invalid(format!("/events/{index}/{field}"), reason)
        })
    };
    report
        .events
        .into_iter()
        .enumerate()
        .map(activity)
        .collect()
}

/// The field at fault, and why.
type Fault = (&'static str, &'static str);

impl Reported {
    fn understood(self, now: OffsetDateTime) -> Result<Activity, Fault> {
        let at = self.occurred_at;
        if at < now - REPORTED_WITHIN || at > now + REPORTED_AHEAD {
            return Err(("occurred_at", "must be within the last 24 hours"));
        }
        if self.type_.needs_product() && self.product_id.is_none() {
            return Err(("product_id", "is missing"));
        }
        if self.type_ == ActivityKind::Search && self.query.is_none() {
            return Err(("query", "is missing"));
        }
        if self
            .query
            .is_some_and(|query| !has_length(&query, QUERY_MAX))
        {
            return Err(("query", "must be from 1 to 200 characters"));
        }
        let session = self.session_id.as_deref();
        if session.is_some_and(|session| !has_length(session, SESSION_MAX)) {
            return Err(("session_id", "must be from 1 to 128 characters"));
        }
        Ok(Activity {
            id: self.id,
            kind: self.type_,
            at,
            product_id: self.product_id,
            visitor: session.map(activity::visitor),
        })
    }
}

fn has_length(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-01 12:00 UTC);

    fn event(change: impl Fn(&mut Value)) -> Value {
        let mut event = json!({
            "id": "019a0000-0000-7000-8000-000000000001", "type": "product_viewed",
            "occurred_at": "2026-11-01T11:59:00Z",
            "product_id": "019a0000-0000-7000-8000-0000000000cc", "session_id": "b3f1c2d4",
        });
        change(&mut event);
        event
    }

    fn read(events: &[Value]) -> Result<Vec<Activity>, ApiError> {
        let report = serde_json::from_value(json!({"events": events})).unwrap();
        activities(report, NOW)
    }

    fn fault(change: impl Fn(&mut Value)) -> String {
        let (_, problem) = read(&[event(|_| ()), event(change)]).unwrap_err().to_body();
        let problem: Value = serde_json::from_slice(&problem).unwrap();
        problem["errors"][0]["pointer"].as_str().unwrap().to_owned()
    }

    #[test]
    fn report_is_understood() {
        let search = event(|event| {
            event["type"] = json!("search");
            event["query"] = json!("mug");
            event["product_id"] = Value::Null;
        });
        let read = read(&[event(|_| ()), search]).unwrap();
        assert_eq!(read[0].visitor, read[1].visitor);
        assert_eq!(read[1].kind, ActivityKind::Search);
        assert!(read[1].product_id.is_none() && read[0].visitor.is_some());
    }

    #[test]
    fn field_at_fault_is_named() {
        let at = |text: &'static str| move |event: &mut Value| event["occurred_at"] = json!(text);
        assert_eq!(fault(at("2026-10-31T11:59:59Z")), "/events/1/occurred_at");
        assert_eq!(fault(at("2026-11-01T12:05:01Z")), "/events/1/occurred_at");
        let product = |event: &mut Value| event["product_id"] = Value::Null;
        assert_eq!(fault(product), "/events/1/product_id");
        let search = |event: &mut Value| event["type"] = json!("search");
        assert_eq!(fault(search), "/events/1/query");
        let query = |event: &mut Value| event["query"] = json!("x".repeat(201));
        assert_eq!(fault(query), "/events/1/query");
        let session = |event: &mut Value| event["session_id"] = json!("");
        assert_eq!(fault(session), "/events/1/session_id");
    }

    #[test]
    fn report_has_from_one_to_a_hundred_events() {
        assert!(read(&[]).is_err());
        assert!(read(&vec![event(|_| ()); 100]).is_ok());
        assert!(read(&vec![event(|_| ()); 101]).is_err());
    }
}
