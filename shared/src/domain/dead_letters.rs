//! Messages that their consumers gave up: why, where they stand, and what may be shown of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// What kind of failure a message died of.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ErrorClass {
    /// It is no event that its consumer knows, or of a later release.
    UnknownEvent,
    /// Something was away, for longer than its consumer waits.
    Transient,
    /// The fault is in our code or in what is stored.
    Defect,
    /// Its consumer panicked.
    Panic,
    /// Its consumer ended without a word each time, or a replay was never heard of again.
    NoAnswer,
    /// Another dead letter has the same event's id and says something else.
    EventIdReused,
    /// Its queue does not take it again.
    Refused,
}

impl ErrorClass {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::UnknownEvent,
        Self::Transient,
        Self::Defect,
        Self::Panic,
        Self::NoAnswer,
        Self::EventIdReused,
        Self::Refused,
    ];

    /// Its name beside a message, in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownEvent => "unknown_event",
            Self::Transient => "transient",
            Self::Defect => "defect",
            Self::Panic => "panic",
            Self::NoAnswer => "no_answer",
            Self::EventIdReused => "event_id_reused",
            Self::Refused => "refused",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.name() == name)
    }
}

/// Where a dead letter stands.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
    sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum DeadLetterStatus {
    /// It is replayed when its time comes.
    Waiting,
    /// It was sent again, and its consumer has not said yet what became of it.
    Replaying,
    /// It would fail again: somebody must decide.
    Parked,
    /// Its consumer has processed it after all.
    Replayed,
    /// Somebody decided that it is not to be processed.
    Discarded,
}

impl DeadLetterStatus {
    /// All of them, the one first that somebody must do something about.
    pub const ALL: [Self; 5] = [
        Self::Parked,
        Self::Waiting,
        Self::Replaying,
        Self::Replayed,
        Self::Discarded,
    ];

    /// Its name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Replaying => "replaying",
            Self::Parked => "parked",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// Where a message says that it belongs, as far as it can be read: one of a later release
/// need not be an event that this one knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// The event's own id.
    pub event_id: Option<Uuid>,
    /// The event's type.
    pub type_: Option<String>,
    /// What it happened to.
    pub aggregate_id: Option<Uuid>,
    /// Its place among that aggregate's events in this queue; none for a nudge, which has none.
    pub sequence: Option<i64>,
}

impl Origin {
    /// Reads it off a message.
    pub fn of(body: &str) -> Self {
        let Ok(envelope) = serde_json::from_str::<Value>(body) else {
            return Self::default();
        };
        let id = |name: &str| envelope[name].as_str().and_then(|id| id.parse().ok());
        Self {
            event_id: id("id"),
            type_: envelope["type"].as_str().map(|type_| masked(type_, 100)),
            aggregate_id: id("aggregate_id"),
            sequence: envelope["sequence"].as_i64().filter(|&place| place > 0),
        }
    }
}

/// How much of a message is shown, in characters.
const EXCERPT_CHARS: usize = 200;

/// What stands in place of what may be about a person, or open something.
const MASK: &str = "***";

/// Longer words are no names, but tokens and keys.
const WORD_CHARS_MAX: usize = 64;

/// A number with more digits may be a card's.
const DIGITS_MAX: usize = 11;

/// Of these an event's texts may be shown: they hold names that we gave.
const SHOWN: [&str; 3] = ["type", "reason", "provider_event_id"];

/// The beginning of a message, for whoever must decide about it. Of an event only ids, instants,
/// numbers and the names of types are shown; of anything else what is not masked.
pub fn excerpt(body: &str) -> String {
    let Ok(mut json) = serde_json::from_str::<Value>(body) else {
        return masked(body, EXCERPT_CHARS);
    };
    mask(&mut json, "");
    json.to_string().chars().take(EXCERPT_CHARS).collect()
}

/// Masks what stands under a key.
fn mask(value: &mut Value, key: &str) {
    match value {
        Value::String(text) => {
            let machine = text.parse::<Uuid>().is_ok()
                || OffsetDateTime::parse(text, &Rfc3339).is_ok()
                || SHOWN.contains(&key) && is_name(text);
            if !machine {
                *text = MASK.to_owned();
            }
        }
        Value::Number(number) if digits(&number.to_string()) > DIGITS_MAX => {
            *value = MASK.into();
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, key)),
        Value::Object(members) => {
            // A key may be anything as well.
            members.retain(|key, _| is_name(key));
            for (key, member) in members {
                mask(member, key);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_name(text: &str) -> bool {
    let part = |c: char| c == '_' || c.is_ascii_alphanumeric();
    text.len() <= WORD_CHARS_MAX && text.chars().all(part) && digits(text) <= DIGITS_MAX
}

fn digits(text: &str) -> usize {
    text.chars().filter(char::is_ascii_digit).count()
}

/// A text without addresses, long numbers and long words, at most `chars_max` characters of it.
/// What no database takes as text is replaced.
pub fn masked(text: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    let mut word = String::new();
    let mut rest = text.chars().take(chars_max.saturating_mul(4)).peekable();
    while let Some(next) = rest.next() {
        // A card's number may be written in groups.
        let joins = next == ' '
            && word.ends_with(|c: char| c.is_ascii_digit())
            && rest.peek().is_some_and(char::is_ascii_digit);
        if next.is_alphanumeric() || "@._+-".contains(next) || joins {
            word.push(next);
            continue;
        }
        push_word(&mut shown, &word);
        word.clear();
        shown.push(if next == '\0' { '\u{fffd}' } else { next });
    }
    push_word(&mut shown, &word);
    shown.chars().take(chars_max).collect()
}

fn push_word(shown: &mut String, word: &str) {
    let telling = word.contains('@')
        || word.chars().count() > WORD_CHARS_MAX
        || digits(word) > DIGITS_MAX && word.parse::<Uuid>().is_err();
    shown.push_str(if telling { MASK } else { word });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn classes_are_known_by_the_names_that_are_stored() {
        for class in ErrorClass::ALL {
            assert_eq!(ErrorClass::from_name(class.name()), Some(class));
            assert_eq!(json!(class), json!(class.name()));
        }
        assert_eq!(ErrorClass::from_name("flood"), None);
    }

    #[test]
    fn statuses_are_known_by_the_names_that_are_stored() {
        for status in DeadLetterStatus::ALL {
            assert_eq!(DeadLetterStatus::from_name(status.name()), Some(status));
            assert_eq!(json!(status), json!(status.name()));
        }
        assert_eq!(DeadLetterStatus::from_name("lost"), None);
    }

    #[test]
    fn event_is_shown_and_persons_in_it_are_not() {
        let body = json!({"id": ID, "type": "order_paid", "payload": {
            "name": "Ada", "email": "ada@shop.example", "card": 4_242_424_242_424_242_i64, "n": 7,
        }});
        let shown = excerpt(&body.to_string());
        assert!(
            shown.contains(ID) && shown.contains("order_paid"),
            "{shown}"
        );
        assert!(shown.contains("\"n\":7"), "{shown}");
        for hidden in ["Ada", "shop.example", "4242"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }

    #[test]
    fn what_is_no_json_is_masked_word_by_word() {
        let text = format!("{ID} from ada@shop.example with 4242 4242 4242 4242, retry 12 of 20\0");
        assert_eq!(
            excerpt(&text),
            format!("{ID} from *** with ***, retry 12 of 20\u{fffd}")
        );
        assert_eq!(excerpt(&"x".repeat(1_000_000)), MASK);
        assert_eq!(excerpt(&"ab ".repeat(1_000)).chars().count(), 200);
    }

    #[test]
    fn origin_is_read_as_far_as_it_goes() {
        let newer = json!({"id": ID, "type": "order_flown", "version": 9, "aggregate_id": ID,
            "sequence": 3, "something": "new"});
        let origin = Origin::of(&newer.to_string());
        assert_eq!(origin.event_id, origin.aggregate_id);
        assert_eq!(origin.sequence, Some(3));
        assert_eq!(origin.type_.as_deref(), Some("order_flown"));
        let nudge = json!({"id": 1, "sequence": 0, "type": ["a"]});
        assert_eq!(Origin::of(&nudge.to_string()), Origin::default());
        assert_eq!(Origin::of(r#"{"id": "\ud800"}"#), Origin::default());
        assert_eq!(Origin::of("not an event"), Origin::default());
    }
}
