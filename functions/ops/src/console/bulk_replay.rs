//! Replaying many dead letters: what would be, counted, and the button that does it.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use shared::domain::dead_letters::ErrorClass;
use shared::domain::ids;
use shared::http::{ApiError, Json, Query, SteppedUp};
use shared::store::dead_letters::Count;
use uuid::Uuid;

use super::choices::{Choices, classes, queues, types};
use super::dead_letters::PATH;
use super::fields::{address, given};
use super::labels::Label;
use super::{Answer, Operator, Shell, Tab, shell, words};
use crate::AppState;
use crate::dead_letters::{
    CountQuery, ReplayBody, get_dead_letter_counts, post_dead_letters_replay, replay_many,
};

/// As many as are replayed unless somebody asks for more: some minutes' work.
const LIMIT: &str = "500";

/// Which are to be replayed.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Wanted {
    #[serde(default, deserialize_with = "given")]
    queue: Option<String>,
    #[serde(rename = "type", default, deserialize_with = "given")]
    type_: Option<String>,
    #[serde(default, deserialize_with = "given")]
    error_class: Option<ErrorClass>,
    #[serde(default, deserialize_with = "given")]
    limit: Option<String>,
    /// Made when the form is shown, so that one which is sent twice replays once.
    #[serde(default, deserialize_with = "given")]
    replay_id: Option<Uuid>,
}

impl Wanted {
    fn limit(&self) -> &str {
        self.limit.as_deref().unwrap_or(LIMIT)
    }

    fn body(&self, dry_run: DryRun) -> ReplayBody {
        ReplayBody {
            queue: self.queue.clone(),
            type_: self.type_.clone(),
            error_class: self.error_class,
            // What is no number is refused as 0 is.
            limit: self.limit().parse().unwrap_or(0),
            dry_run: dry_run == DryRun::Yes,
        }
    }

    /// The form with what was filled in. It gets a new id: with the old one nothing was replayed.
    fn address(&self) -> String {
        let query = [
            ("queue", self.queue.clone()),
            ("type", self.type_.clone()),
            ("error_class", self.error_class.map(|class| class.stored())),
            ("limit", self.limit.clone()),
        ];
        address(&format!("{PATH}/replay"), query)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DryRun {
    Yes,
    No,
}

#[derive(Template)]
#[template(path = "console/bulk_replay.html")]
struct Page {
    shell: Shell,
    queues: Choices,
    types: Choices,
    classes: Choices,
    limit: String,
    // As they are sent on.
    queue: String,
    type_: String,
    class: String,
    replay_id: Uuid,
    counted: Counted,
}

/// What would be replayed.
#[derive(Debug, Default)]
struct Counted {
    matched: i64,
    counts: Vec<Count>,
    /// What is wrong with the limit.
    problem: Option<String>,
}

/// Shows what would be replayed.
pub(crate) async fn show_form(
    State(state): State<AppState>,
    operator: Operator,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let proof = operator.stepped_up(&wanted.address())?;
    let all = Query(CountQuery { replay_id: None });
    let all = get_dead_letter_counts(State(state.clone()), operator.admin(), all);
    let Json(all) = all.await?;
    let counted = count(state, proof, &wanted).await?;
    let status = match counted.problem {
        None => StatusCode::OK,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let shell = Shell::new(&operator, Tab::DeadLetters, "Replay dead letters");
    let form = shell::page(&Page::of(shell, wanted, &all.items, counted))?;
    Ok((status, form).into_response())
}

impl Page {
    fn of(shell: Shell, wanted: Wanted, all: &[Count], counted: Counted) -> Self {
        let class = wanted.error_class.map(|class| class.stored());
        Self {
            shell,
            queues: queues(wanted.queue.as_deref()),
            types: types(all, wanted.type_.as_deref()),
            classes: classes(wanted.error_class),
            limit: wanted.limit().to_owned(),
            queue: wanted.queue.unwrap_or_default(),
            type_: wanted.type_.unwrap_or_default(),
            class: class.unwrap_or_default(),
            replay_id: ids::new_id(),
            counted,
        }
    }
}

async fn count(state: AppState, proof: SteppedUp, wanted: &Wanted) -> Result<Counted, ApiError> {
    let body = Json(wanted.body(DryRun::Yes));
    match post_dead_letters_replay(State(state), proof, body).await {
        Ok((_, Json(view))) => Ok(Counted {
            matched: view.matched,
            counts: view.counts,
            problem: None,
        }),
        Err(error) => match error.reason("/limit") {
            Some(reason) => Ok(Counted {
                problem: Some(reason.to_owned()),
                ..Counted::default()
            }),
            None => Err(error),
        },
    }
}

/// Has them replayed, and shows how far they are.
pub(crate) async fn submit(
    State(state): State<AppState>,
    operator: Operator,
    Form(wanted): Form<Wanted>,
) -> Answer {
    let proof = operator.stepped_up(&wanted.address())?;
    let replay_id = wanted.replay_id.unwrap_or_else(ids::new_id);
    let view = replay_many(&state, proof, (replay_id, wanted.body(DryRun::No))).await?;
    let query = [
        ("replay_id", view.replay_id.map(|id| id.to_string())),
        ("done", Some("replays".to_owned())),
    ];
    Ok(Redirect::to(&address(PATH, query)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_refused_like_nothing() {
        let with = |limit: &str| Wanted {
            limit: Some(limit.to_owned()),
            ..Wanted::default()
        };
        assert_eq!(with("7").body(DryRun::No).limit, 7);
        assert_eq!(with("many").body(DryRun::No).limit, 0);
        assert_eq!(Wanted::default().body(DryRun::Yes).limit, 500);
        assert!(Wanted::default().body(DryRun::Yes).dry_run);
        assert!(!Wanted::default().body(DryRun::No).dry_run);
    }

    #[test]
    fn form_is_found_again_as_it_was_filled_in() {
        let wanted = Wanted {
            queue: Some("mail".to_owned()),
            error_class: Some(ErrorClass::NoAnswer),
            limit: Some("7".to_owned()),
            ..Wanted::default()
        };
        assert_eq!(
            wanted.address(),
            "/console/dead-letters/replay?queue=mail&error_class=no_answer&limit=7"
        );
        assert_eq!(Wanted::default().address(), "/console/dead-letters/replay");
    }
}
