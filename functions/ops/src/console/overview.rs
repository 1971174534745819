//! What is well and what is not, on one page.

use askama::Template;
use axum::extract::State;

use super::{Answer, Operator, Shell, Tab, shell};
use crate::AppState;
use crate::readiness::{self, Readiness};

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    shell: Shell,
    readiness: Readiness,
}

/// Shows everything that may be wrong.
pub(crate) async fn show(State(state): State<AppState>, operator: Operator) -> Answer {
    let readiness = readiness::look(&state).await;
    let shell = Shell::new(&operator, Tab::Overview, "Overview");
    shell::page(&Overview { shell, readiness })
}
