//! Somebody whose password, tokens, card, address and second factor are unlike anything else, sent
//! through every route, well and badly; then everything that the stack keeps is searched for them.

mod life;
mod mistakes;

use std::collections::BTreeSet;

use tests::traces::{Found, Needle, Search};
use time::{Duration, OffsetDateTime};

use life::Canary;

/// What may be found where, and why.
#[rustfmt::skip] // A table is read by the row.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("postgres users.email", "mail address", "where mails go"),
    ("postgres users.email_key", "mail address", "what a sign-in is compared with"),
    ("postgres users.name", "name", "how mails address somebody"),
    ("postgres orders.shipping_address", "name", "who gets the parcel"),
    ("postgres orders.shipping_address", "street", "where the parcel goes"),
    ("postgres idempotency_keys.body", "name", "the answer that is given again says who gets the parcel"),
    ("postgres idempotency_keys.body", "street", "and where it goes"),
];

/// What must be found, or the search itself is broken.
const CONTROLS: &[(&str, &str)] = &[
    ("postgres users.email", "mail address"),
    ("postgres orders.shipping_address", "street"),
    ("log auth", "request id"),
];

#[tokio::test]
async fn what_only_its_owner_may_know_is_kept_where_it_belongs_and_nowhere_else() {
    let began = OffsetDateTime::now_utc() - Duration::seconds(1);
    let mut canary = Canary::hatch().await;
    canary.live().await;
    let mut faults = Vec::new();
    for (operation, answer) in canary.err().await {
        let text = format!(
            "{:?} {}",
            answer.headers,
            String::from_utf8_lossy(&answer.bytes)
        );
        let repeated = canary.needles.iter().filter(|needle| needle.is_in(&text));
        faults.extend(
            repeated.map(|needle| format!("{operation} repeats the {}: {text}", needle.what)),
        );
    }
    canary.leave_a_mark().await;
    let found = Search::everywhere(&canary.stack, &canary.needles, began).await;
    let controls: BTreeSet<_> = CONTROLS
        .iter()
        .map(|(place, what)| ((*place).to_owned(), *what))
        .collect();
    let missed: Found = controls.difference(&found).cloned().collect();
    assert!(missed.is_empty(), "the search does not find {missed:?}");
    let is_allowed = |(place, what): &(String, &str)| {
        *what == "request id"
            || ALLOWED
                .iter()
                .any(|row| (row.0, row.1) == (place.as_str(), what))
    };
    let leaked = found.into_iter().filter(|one| !is_allowed(one));
    faults.extend(leaked.map(|(place, what)| format!("{place} holds the {what}")));
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn needle_is_found_in_every_form() {
    let needle = Needle::new("secret", "a secret/x");
    for text in [
        "-a secret/x-",
        "61207365637265742f78",
        "a%20secret%2Fx",
        "YSBzZWNyZXQveA",
    ] {
        assert!(needle.is_in(text), "{text}");
    }
    assert!(!needle.is_in("a secret"));
}
