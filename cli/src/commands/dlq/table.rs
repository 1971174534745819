//! Dead letters for a person to read.

use super::{Count, DeadLetter};
use crate::cells::{cut, or_dash, seconds};

/// A list, one line each.
pub(super) fn letters(letters: &[DeadLetter]) {
    if letters.is_empty() {
        println!("no dead letters");
        return;
    }
    println!(
        "{:<36}  {:<9}  {:<24}  {:<15}  {:<9}  {:>5}  {:<19}  error",
        "id", "queue", "type", "class", "status", "tries", "last failed"
    );
    for letter in letters {
        println!(
            "{:<36}  {:<9}  {:<24}  {:<15}  {:<9}  {:>5}  {:<19}  {}",
            letter.id,
            letter.queue,
            or_dash(letter.type_.as_deref()),
            letter.error_class,
            letter.status,
            letter.attempts,
            seconds(&letter.last_failed_at),
            cut(&letter.error)
        );
    }
}

/// One, with everything that is known of it.
pub(super) fn letter(letter: &DeadLetter) {
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
    let rows = [
        ("id", letter.id.to_string()),
        ("queue", letter.queue.clone()),
        ("type", text(letter.type_.clone())),
        ("event", text(letter.event_id.map(|id| id.to_string()))),
        (
            "aggregate",
            text(letter.aggregate_id.map(|id| id.to_string())),
        ),
        ("sequence", text(letter.sequence.map(|n| n.to_string()))),
        ("status", letter.status.clone()),
        ("class", letter.error_class.clone()),
        ("error", letter.error.clone()),
        ("tries", letter.attempts.to_string()),
        ("replays", letter.replays.to_string()),
        ("first failed", letter.first_failed_at.clone()),
        ("last failed", letter.last_failed_at.clone()),
        ("next attempt", text(letter.next_attempt_at.clone())),
        ("replay", text(letter.replay_id.map(|id| id.to_string()))),
        ("done with", text(letter.resolved_at.clone())),
        (
            "discarded by",
            text(letter.resolved_by.map(|id| id.to_string())),
        ),
        ("reason", text(letter.reason.clone())),
        ("message", letter.payload_excerpt.clone()),
    ];
    for (name, value) in rows {
        println!("{name:<12}  {value}");
    }
}

/// Counts, one line each.
pub(super) fn counts(counts: &[Count]) {
    if counts.is_empty() {
        println!("no dead letters");
        return;
    }
    println!(
        "{:<9}  {:<24}  {:<15}  {:<9}  {:>7}  oldest",
        "queue", "type", "class", "status", "count"
    );
    for part in counts {
        println!(
            "{:<9}  {:<24}  {:<15}  {:<9}  {:>7}  {}",
            part.queue,
            or_dash(part.type_.as_deref()),
            part.error_class,
            part.status,
            part.count,
            seconds(&part.oldest_failed_at)
        );
    }
}
