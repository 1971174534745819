//! Times and ids as people read them.

use std::fmt;

use askama::filters::HtmlSafe;
use shared::clock;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// An instant, to the second: `2026-11-22 02:31:43 UTC`.
fn instant(at: &OffsetDateTime) -> String {
    let shape = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    at.to_offset(time::UtcOffset::UTC)
        .format(&shape)
        .unwrap_or_default()
}

/// The same for programs, as `datetime` of a `<time>`: `2026-11-22T02:31:43Z`.
fn machine(at: &OffsetDateTime) -> String {
    let shape = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    at.to_offset(time::UtcOffset::UTC)
        .format(&shape)
        .unwrap_or_default()
}

/// A point in time on a page: what programs read of it, and what people do.
pub(crate) struct Time {
    machine: String,
    text: String,
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { machine, text } = self;
        write!(f, "<time datetime=\"{machine}\">{text}</time>")
    }
}

// Nobody else has a say in either.
impl HtmlSafe for Time {}

/// An instant, to the second.
pub(crate) fn stamp(at: &OffsetDateTime) -> Time {
    Time {
        machine: machine(at),
        text: instant(at),
    }
}

/// How far an instant is from now.
pub(crate) fn age(at: &OffsetDateTime) -> Time {
    Time {
        machine: machine(at),
        text: ago(at),
    }
}

/// The time of a day, to the minute: `02:31 UTC`.
pub(crate) fn time_of_day(at: OffsetDateTime) -> String {
    let shape = format_description!("[hour]:[minute] UTC");
    at.to_offset(time::UtcOffset::UTC)
        .format(&shape)
        .unwrap_or_default()
}

/// The beginning of an id, which is enough to tell it from others on a page.
pub(crate) fn short(id: &Uuid) -> String {
    let mut text = id.to_string();
    text.truncate(8);
    text
}

/// The end of an id. Accounts that were made in the same minute begin alike.
pub(crate) fn end(id: &Uuid) -> String {
    let text = id.to_string();
    text.chars().skip(28).collect()
}

/// How far an instant is from now: `5 min ago`, `in 2 h`.
pub(crate) fn ago(at: &OffsetDateTime) -> String {
    let age = clock::now() - *at;
    if age.is_negative() {
        format!("in {}", span(age.abs()))
    } else {
        format!("{} ago", span(age))
    }
}

/// A span in its largest unit that fits: `40 s`, `5 min`, `3 h`, `2 d`.
pub(crate) fn span(span: Duration) -> String {
    match span.whole_seconds() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_ids_tell_those_of_one_minute_apart() {
        let id = Uuid::parse_str("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        assert_eq!(
            (short(&id).as_str(), end(&id).as_str()),
            ("01890a5d", "099a8057")
        );
    }

    #[test]
    fn spans_have_one_unit() {
        let words =
            [0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(|s| span(Duration::seconds(s)));
        assert_eq!(
            words,
            ["0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]
        );
    }

    #[test]
    fn what_is_to_come_is_told_from_what_was() {
        let now = clock::now();
        assert_eq!(ago(&(now - Duration::minutes(5))), "5 min ago");
        assert_eq!(
            ago(&(now + Duration::minutes(5) + Duration::milliseconds(500))),
            "in 5 min"
        );
    }

    #[test]
    fn instants_are_in_utc() {
        let at = time::macros::datetime!(2026-11-22 03:31:43.5 +1);
        assert_eq!(instant(&at), "2026-11-22 02:31:43 UTC");
        assert_eq!(machine(&at), "2026-11-22T02:31:43Z");
        assert_eq!(time_of_day(at), "02:31 UTC");
    }
}
