//! One dead letter: all that is known of it, and what is decided about it.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use shared::domain::catalogue::Reason;
use shared::domain::dead_letters::DeadLetterStatus;
use shared::http::{ApiError, Json, Kind, Path, Query};
use shared::store::dead_letters::Shown;
use uuid::Uuid;

use super::dead_letters::{PATH, sentence};
use super::fields::{self, address};
use super::labels::Label;
use super::{Answer, Operator, Shell, Tab, shell, words};
use crate::AppState;
use crate::dead_letters::{
    DiscardBody, get_dead_letter, post_dead_letter_discard, post_dead_letter_replay,
};

/// What stands in the address of its page.
#[derive(Debug, Deserialize)]
pub(crate) struct Given {
    done: Option<String>,
}

/// What is typed into the form that discards it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "console/dead_letter.html")]
struct Whole {
    shell: Shell,
    why_not: Option<&'static str>,
    order: Option<Uuid>,
    letter: Shown,
}

#[derive(Template)]
#[template(path = "console/dead_letter_replay.html")]
struct Replay {
    shell: Shell,
    why_not: Option<&'static str>,
    letter: Shown,
}

#[derive(Template)]
#[template(path = "console/dead_letter_discard.html")]
struct Discard {
    shell: Shell,
    why_not: Option<&'static str>,
    letter: Shown,
    reason: String,
    problem: Option<String>,
}

/// Shows one.
pub(crate) async fn show_one(
    State(state): State<AppState>,
    operator: Operator,
    Path(id): Path<Uuid>,
    Query(given): Query<Given>,
) -> Answer {
    let letter = letter(state, &operator, id).await?;
    let mut shell = frame(&operator, "Dead letter");
    shell.done = given.done.as_deref().and_then(sentence);
    shell::page(&Whole {
        shell,
        why_not: why_not(letter.status),
        order: order_of(&letter),
        letter,
    })
}

/// Asks whether it is to be replayed.
pub(crate) async fn show_replay(
    State(state): State<AppState>,
    operator: Operator,
    Path(id): Path<Uuid>,
) -> Answer {
    let _ = operator.stepped_up(&format!("{PATH}/{id}/replay"))?;
    let letter = letter(state, &operator, id).await?;
    shell::page(&Replay {
        shell: frame(&operator, "Replay a dead letter"),
        why_not: why_not(letter.status),
        letter,
    })
}

/// Has it replayed.
pub(crate) async fn submit_replay(
    State(state): State<AppState>,
    operator: Operator,
    Path(id): Path<Uuid>,
) -> Answer {
    let proof = operator.stepped_up(&format!("{PATH}/{id}/replay"))?;
    let _ = post_dead_letter_replay(State(state), proof, Path(id)).await?;
    Ok(Redirect::to(&format!("{PATH}/{id}?done=replay")).into_response())
}

/// Asks why it is to be discarded.
pub(crate) async fn show_discard(
    State(state): State<AppState>,
    operator: Operator,
    Path(id): Path<Uuid>,
    Query(typed): Query<Typed>,
) -> Answer {
    let _ = operator.stepped_up(&discard_address(id, &typed))?;
    let letter = letter(state, &operator, id).await?;
    discard_form(&operator, letter, typed, None)
}

/// Discards it, or asks again what is missing. Where there is nothing to decide any more, as after a
/// second press of the button, its page says how it stands.
pub(crate) async fn submit_discard(
    State(state): State<AppState>,
    operator: Operator,
    Path(id): Path<Uuid>,
    Form(typed): Form<Typed>,
) -> Answer {
    let proof = operator.stepped_up(&discard_address(id, &typed))?;
    let reason = match Reason::try_from(typed.reason.clone()) {
        Ok(reason) => reason,
        Err(problem) => {
            let letter = letter(state, &operator, id).await?;
            let form = discard_form(&operator, letter, typed, Some(problem.to_string()))?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, form).into_response());
        }
    };
    let reason = Some(reason);
    let body = Some(Json(DiscardBody { reason }));
    let page = match post_dead_letter_discard(State(state), proof, Path(id), body).await {
        Ok(_) => format!("{PATH}/{id}?done=discard"),
        Err(error) if error.kind() == Kind::Conflict => format!("{PATH}/{id}"),
        Err(error) => return Err(error.into()),
    };
    Ok(Redirect::to(&page).into_response())
}

fn discard_form(
    operator: &Operator,
    letter: Shown,
    typed: Typed,
    problem: Option<String>,
) -> Answer {
    shell::page(&Discard {
        shell: frame(operator, "Discard a dead letter"),
        why_not: why_not(letter.status),
        letter,
        reason: typed.reason,
        problem,
    })
}

/// The form with what was typed into it.
fn discard_address(id: Uuid, typed: &Typed) -> String {
    let reason = fields::typed(&typed.reason);
    address(&format!("{PATH}/{id}/discard"), [("reason", reason)])
}

fn frame(operator: &Operator, title: &str) -> Shell {
    Shell::new(operator, Tab::DeadLetters, title)
}

async fn letter(state: AppState, operator: &Operator, id: Uuid) -> Result<Shown, ApiError> {
    let Json(letter) = get_dead_letter(State(state), operator.admin(), Path(id)).await?;
    Ok(letter)
}

/// Why nobody can decide about it now.
fn why_not(status: DeadLetterStatus) -> Option<&'static str> {
    match status {
        DeadLetterStatus::Waiting | DeadLetterStatus::Parked => None,
        DeadLetterStatus::Replaying => Some(
            "It was sent again, and there is nothing to decide before its consumer says what became of it.",
        ),
        DeadLetterStatus::Replayed => {
            Some("Its consumer has processed it after all: there is nothing left to do.")
        }
        DeadLetterStatus::Discarded => {
            Some("It was discarded: it is never processed, and never comes back.")
        }
    }
}

/// The order that it is about, if it is about one.
fn order_of(letter: &Shown) -> Option<Uuid> {
    let type_ = letter.type_.as_deref()?;
    let is_about_one = type_.starts_with("order_") || matches!(type_, "payment_due" | "refund_due");
    letter.aggregate_id.filter(|_| is_about_one)
}

#[cfg(test)]
mod tests {
    use shared::domain::dead_letters::ErrorClass;
    use shared::domain::events::Event;
    use time::OffsetDateTime;

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);

    fn letter(type_: &str) -> Shown {
        Shown {
            id: ID,
            queue: "orders".to_owned(),
            type_: Some(type_.to_owned()),
            event_id: None,
            aggregate_id: Some(ID),
            sequence: None,
            error_class: ErrorClass::Defect,
            error: String::new(),
            attempts: 5,
            first_failed_at: OffsetDateTime::UNIX_EPOCH,
            last_failed_at: OffsetDateTime::UNIX_EPOCH,
            next_attempt_at: None,
            status: DeadLetterStatus::Parked,
            payload_excerpt: String::new(),
            replays: 0,
            replay_id: None,
            resolved_at: None,
            resolved_by: None,
            reason: None,
        }
    }

    #[test]
    fn what_is_about_an_order_leads_there_and_nothing_else() {
        let (order_id, refund_id) = (ID, ID);
        for event in [
            Event::PaymentDue { order_id },
            Event::OrderPaid { order_id },
            Event::OrderCancelled { order_id },
            Event::RefundDue {
                order_id,
                refund_id,
            },
        ] {
            let name = event.type_name();
            assert_eq!(order_of(&letter(name)), Some(ID), "{name}");
        }
        let webhook = Event::WebhookReceived {
            provider_event_id: String::new(),
        };
        let account = Event::AccountRegistered { user_id: ID };
        for event in [webhook, account, Event::RatesChanged] {
            let name = event.type_name();
            assert_eq!(order_of(&letter(name)), None, "{name}");
        }
    }

    #[test]
    fn only_what_waits_or_is_parked_can_be_decided_about() {
        let open = DeadLetterStatus::ALL
            .into_iter()
            .filter(|status| why_not(*status).is_none());
        assert_eq!(
            open.collect::<Vec<_>>(),
            [DeadLetterStatus::Parked, DeadLetterStatus::Waiting]
        );
    }

    #[test]
    fn what_was_typed_stands_in_the_way_back() {
        let typed = |reason: &str| Typed {
            reason: reason.to_owned(),
        };
        let path = format!("{PATH}/{ID}/discard");
        assert_eq!(discard_address(ID, &typed("")), path);
        assert_eq!(
            discard_address(ID, &typed("ours & void")),
            format!("{path}?reason=ours+%26+void")
        );
    }
}
