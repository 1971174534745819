//! What is around an event on its way.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Event;
use crate::domain::trace::TraceContext;

/// Longer bodies are no events of ours: the longest are reports of a hundred activities, a fifth of
/// this. A queue takes up to 1 MiB from anybody who may send, and to read that takes many times as
/// much memory.
pub const BODY_BYTES_MAX: usize = 128 * 1024;

/// What stands in a message: the event and where it belongs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// The event's own id. SQS message ids are never keys: a redriven message gets a new one.
    pub id: Uuid,
    /// The event's type.
    #[serde(rename = "type")]
    pub type_: String,
    /// The version of the payload's shape.
    pub version: i16,
    /// What it happened to.
    pub aggregate_id: Uuid,
    /// The queue that it was sent to; empty when the release before sent it.
    #[serde(default)]
    pub queue: String,
    /// Its place among that aggregate's events in this queue, from 1; 0 for a nudge, which has none.
    pub sequence: i64,
    /// When it happened.
    #[serde(with = "time::serde::rfc3339")]
    pub occurred_at: OffsetDateTime,
    /// The trace that it happened in, as a `traceparent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_context: Option<String>,
    /// The [`Event`].
    pub payload: Value,
}

/// Where an event stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The event.
    pub event_id: Uuid,
    /// The queue that it came by.
    pub queue: String,
    /// What it happened to.
    pub aggregate_id: Uuid,
    /// Its number among that aggregate's events in this queue.
    pub sequence: i64,
}

/// Why a message is not an event of ours.
#[derive(Debug, thiserror::Error)]
pub enum UnknownEvent {
    /// It is too long to be looked at.
    #[error("the message has {0} bytes, more than any event")]
    Oversized(usize),
    /// It is not an envelope.
    #[error("the message is not an event envelope")]
    Unreadable(#[source] serde_json::Error),
    /// It was written by a later release.
    #[error("event version {0} is newer than this release")]
    Newer(i16),
    /// The payload is none that we know.
    #[error("the event's payload is not known")]
    Payload(#[source] serde_json::Error),
}

impl Envelope {
    /// Reads a message's body.
    ///
    /// # Errors
    /// It is not an envelope, or longer than [`BODY_BYTES_MAX`].
    pub fn parse(body: &str) -> Result<Self, UnknownEvent> {
        if body.len() > BODY_BYTES_MAX {
            return Err(UnknownEvent::Oversized(body.len()));
        }
        serde_json::from_str(body).map_err(UnknownEvent::Unreadable)
    }

    /// The event in it.
    ///
    /// # Errors
    /// A newer version, or an unknown type.
    pub fn event(&self) -> Result<Event, UnknownEvent> {
        if self.version > Event::VERSION {
            return Err(UnknownEvent::Newer(self.version));
        }
        Event::deserialize(&self.payload).map_err(UnknownEvent::Payload)
    }

    /// Where it stands in the journal; `None` for a nudge, which is in none.
    pub fn place(&self) -> Option<Place> {
        (self.sequence > 0 && !self.queue.is_empty()).then(|| Place {
            event_id: self.id,
            queue: self.queue.clone(),
            aggregate_id: self.aggregate_id,
            sequence: self.sequence,
        })
    }

    /// The trace to go on with: the one that it happened in, else a new one.
    pub fn trace(&self) -> TraceContext {
        let given = self.trace_context.as_deref().and_then(TraceContext::parse);
        given.unwrap_or_else(TraceContext::begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::activity::{Activity, ActivityKind};

    /// As the release before wrote it.
    fn envelope(version: i16, payload: &str) -> Envelope {
        let body = format!(
            r#"{{"id":"01890000-0000-7000-8000-000000000000","type":"order_paid","version":{version},
            "aggregate_id":"01890000-0000-7000-8000-000000000000","sequence":1,
            "occurred_at":"2026-01-01T00:00:00Z","payload":{payload}}}"#
        );
        Envelope::parse(&body).unwrap()
    }

    #[test]
    fn newer_version_is_set_aside() {
        let newer = envelope(2, "{}").event();
        assert!(matches!(newer, Err(UnknownEvent::Newer(2))));
    }

    #[test]
    fn unknown_type_is_set_aside() {
        let unknown = envelope(1, r#"{"type":"order_framed","data":{}}"#).event();
        assert!(matches!(unknown, Err(UnknownEvent::Payload(_))));
    }

    #[test]
    fn longest_event_is_far_from_too_long() {
        let activity = Activity {
            id: Uuid::max(),
            kind: ActivityKind::ProductViewed,
            at: OffsetDateTime::UNIX_EPOCH + time::Duration::nanoseconds(999_999_999),
            product_id: Some(Uuid::max()),
            visitor: Some(Uuid::max()),
        };
        let report = Event::ActivityReported {
            weight: u32::MAX,
            activities: vec![activity; 100],
        };
        let body = serde_json::to_string(&envelope(1, &serde_json::json!(report).to_string()));
        let body = body.unwrap();
        assert!(body.len() * 4 < BODY_BYTES_MAX, "{}", body.len());
        assert_eq!(Envelope::parse(&body).unwrap().event().unwrap(), report);
    }

    #[test]
    fn what_is_too_long_is_refused_before_it_is_read() {
        let body = " ".repeat(BODY_BYTES_MAX);
        assert!(matches!(
            Envelope::parse(&body),
            Err(UnknownEvent::Unreadable(_))
        ));
        let length = BODY_BYTES_MAX + 1;
        assert!(matches!(
            Envelope::parse(&(body + " ")),
            Err(UnknownEvent::Oversized(bytes)) if bytes == length
        ));
    }

    #[test]
    fn depth_is_a_fault_of_the_message_and_overflows_nothing() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let depth = (BODY_BYTES_MAX - 1_000) / (open.len() + close.len());
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let valid = serde_json::to_string(&envelope(1, "7")).unwrap();
            let payload = valid.replace(r#""payload":7"#, &format!(r#""payload":{deep}"#));
            assert!(payload.len() > depth && payload.len() <= BODY_BYTES_MAX);
            for body in [&payload, &deep] {
                assert!(matches!(
                    Envelope::parse(body),
                    Err(UnknownEvent::Unreadable(_))
                ));
            }
            // What no field asks for is passed over without going into it.
            let passed_over = valid.replace(r#""payload""#, &format!(r#""more":{deep},"payload""#));
            assert!(Envelope::parse(&passed_over).is_ok());
        }
    }

    #[test]
    fn place_and_trace_are_those_that_were_sent() {
        let mut envelope = envelope(1, "{}");
        assert_eq!(envelope.place(), None);
        envelope.queue = "mail".to_owned();
        assert_eq!(envelope.place().unwrap().sequence, 1);
        let trace = TraceContext::begin();
        envelope.trace_context = Some(trace.to_string());
        let read = Envelope::parse(&serde_json::to_string(&envelope).unwrap()).unwrap();
        assert_eq!((read.trace(), read.queue.as_str()), (trace, "mail"));
        envelope.trace_context = Some("nonsense".to_owned());
        assert_eq!(envelope.trace().trace_id().len(), 32);
        envelope.sequence = 0;
        assert_eq!(envelope.place(), None);
    }
}
