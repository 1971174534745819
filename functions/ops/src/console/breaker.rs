//! Setting one breaker.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use shared::domain::catalogue::Reason;
use shared::http::{ApiError, Json, Path, Query};
use shared::resilience::Dependency;

use super::choices::Choices;
use super::fields::{self, address};
use super::switches::BreakerRow;
use super::{Answer, Failure, Operator, Shell, Tab, shell};
use crate::AppState;
use crate::breakers::{self, SetBreaker, WantedState};

/// What was typed already.
#[derive(Debug, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    state: String,
}

/// How the breaker is to stand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    state: WantedState,
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "console/breaker.html")]
struct BreakerForm {
    shell: Shell,
    breaker: BreakerRow,
    choices: Choices,
    reason: String,
    /// What is wrong with the reason.
    fault: Option<String>,
}

/// Shows how it stands, and asks how it is to stand, and why.
pub(crate) async fn show_form(
    State(state): State<AppState>,
    operator: Operator,
    Path(name): Path<String>,
    Query(typed): Query<Typed>,
) -> Answer {
    let _ = operator.stepped_up(&page(&name, &typed))?;
    let form = form(&state, &operator, (name, typed)).await?;
    shell::page(&form)
}

/// Sets it.
pub(crate) async fn submit(
    State(state): State<AppState>,
    operator: Operator,
    Path(name): Path<String>,
    Form(wanted): Form<Wanted>,
) -> Answer {
    let typed = Typed {
        state: wanted.state.name().to_owned(),
        reason: wanted.reason.clone(),
    };
    let proof = operator.stepped_up(&page(&name, &typed))?;
    let reason = match Reason::try_from(wanted.reason) {
        Ok(reason) => reason,
        Err(fault) => {
            let mut form = form(&state, &operator, (name, typed)).await?;
            form.fault = Some(fault.to_string());
            let page = shell::page(&form)?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    let wanted = Json(SetBreaker {
        state: wanted.state,
        reason,
    });
    let answer = breakers::put_breaker(State(state), proof, Path(name), wanted).await?;
    let done = if answer.headers().contains_key("x-degraded") {
        "set-unrecorded"
    } else {
        "set"
    };
    let page = format!("{}?done={done}", Tab::Switches.path());
    Ok(Redirect::to(&page).into_response())
}

async fn form(
    state: &AppState,
    operator: &Operator,
    (name, typed): (String, Typed),
) -> Result<BreakerForm, Failure> {
    let dependency = Dependency::from_name(&name).ok_or_else(ApiError::not_found)?;
    let all = breakers::get_breakers(State(state.clone()), operator.admin());
    let Json(all) = all.await;
    let mut all = all.items.into_iter().map(BreakerRow::from);
    let breaker = all.find(|row| row.name == dependency.name());
    let breaker = breaker.ok_or_else(ApiError::not_found)?;
    let title = format!("Set the breaker of {}", breaker.name);
    Ok(BreakerForm {
        shell: Shell::new(operator, Tab::Switches, title),
        breaker,
        choices: Choices::new(
            WantedState::ALL.map(|state| (state.name(), words(state))),
            Some(&typed.state),
        ),
        reason: typed.reason,
        fault: None,
    })
}

fn words(state: WantedState) -> &'static str {
    match state {
        WantedState::Auto => "Let the calls decide, as usual",
        WantedState::Open => "Hold it open: nobody calls",
        WantedState::Closed => "Hold it closed: everybody calls, whatever comes of it",
    }
}

/// The form's own address, with what was typed.
fn page(name: &str, typed: &Typed) -> String {
    let typed = [
        ("state", fields::typed(&typed.state)),
        ("reason", fields::typed(&typed.reason)),
    ];
    address(&format!("/console/breakers/{name}"), typed)
}
