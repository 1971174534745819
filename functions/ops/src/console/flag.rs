//! Moving one kill switch.

use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use shared::domain::catalogue::Reason;
use shared::http::{Json, Path, Query};

use super::fields::{address, typed};
use super::switches::FlagRow;
use super::{Answer, Operator, Shell, Tab, shell};
use crate::AppState;
use crate::flags::{self, SetFlag};

/// What was typed already.
#[derive(Debug, Deserialize)]
pub(crate) struct Typed {
    #[serde(default)]
    reason: String,
}

/// How the switch is to stand.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    enabled: bool,
    #[serde(default)]
    reason: String,
}

#[derive(Template)]
#[template(path = "console/flag.html")]
struct FlagForm {
    shell: Shell,
    flag: FlagRow,
    reason: String,
    /// What is wrong with the reason.
    fault: Option<String>,
}

/// Shows how it stands, and asks why it is to stand otherwise.
pub(crate) async fn show_form(
    State(state): State<AppState>,
    operator: Operator,
    Path(name): Path<String>,
    Query(Typed { reason }): Query<Typed>,
) -> Answer {
    let _ = operator.stepped_up(&page(&name, &reason))?;
    let Json(flag) = flags::get_flag(State(state), operator.admin(), Path(name)).await?;
    let flag = FlagRow::from(flag);
    let verb = if flag.enabled { "off" } else { "on" };
    let title = format!("Switch {} {verb}", flag.name);
    let shell = Shell::new(&operator, Tab::Switches, title);
    let fault = None;
    shell::page(&FlagForm {
        shell,
        flag,
        reason,
        fault,
    })
}

/// Moves it.
pub(crate) async fn submit(
    State(state): State<AppState>,
    operator: Operator,
    Path(name): Path<String>,
    Form(Wanted { enabled, reason }): Form<Wanted>,
) -> Answer {
    let proof = operator.stepped_up(&page(&name, &reason))?;
    let reason = match Reason::try_from(reason.clone()) {
        Ok(reason) => reason,
        Err(fault) => {
            let view = flags::get_flag(State(state), operator.admin(), Path(name)).await?;
            return again(&operator, view, (reason, fault.to_string()));
        }
    };
    let wanted = Json(SetFlag { enabled, reason });
    let answer = flags::put_flag(State(state), proof, Path(name), wanted).await?;
    let done = if answer.headers().contains_key("x-degraded") {
        "switched-unrecorded"
    } else {
        "switched"
    };
    let page = format!("{}?done={done}", Tab::Switches.path());
    Ok(Redirect::to(&page).into_response())
}

/// The form with what is wrong with it.
fn again(
    operator: &Operator,
    Json(view): Json<flags::FlagView>,
    (reason, fault): (String, String),
) -> Answer {
    let shell = Shell::new(operator, Tab::Switches, format!("Switch {}", view.name));
    let form = FlagForm {
        shell,
        flag: FlagRow::from(view),
        reason,
        fault: Some(fault),
    };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, shell::page(&form)?).into_response())
}

/// The form's own address, with what was typed.
fn page(name: &str, reason: &str) -> String {
    let path = format!("{}/{name}", Tab::Switches.path());
    address(&path, [("reason", typed(reason))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_not_lost_on_the_way_to_a_second_factor() {
        assert_eq!(page("search", ""), "/console/switches/search");
        let typed = page("search", "zu langsam & teuer");
        assert_eq!(
            typed,
            "/console/switches/search?reason=zu+langsam+%26+teuer"
        );
        assert_eq!(shared::http::console_page(&typed), typed);
    }
}
