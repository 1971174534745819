//! Where one signs in and shows a second factor. The forms go to `auth`, which answers with a
//! cookie and the way back.

use askama::Template;
use axum::extract::Query;
use serde::Deserialize;
use shared::http::console_page;

use super::{Answer, Operator, Shell, Tab, shell};

/// What stands in the address of both pages.
#[derive(Debug, Deserialize)]
pub(crate) struct Given {
    /// Where to go on.
    #[serde(default)]
    to: String,
    /// What was wrong with the last try.
    problem: Option<String>,
}

impl Given {
    /// In the words of whoever signs in.
    fn problem(&self) -> Option<&'static str> {
        Some(match self.problem.as_deref()? {
            "credentials" => "The address and the password do not match an account.",
            "code" => "That is not a good code. Each is good once, and only for a minute.",
            "too-many" => "Too many tries. Wait a minute, then try again.",
            "no-factor" => {
                "This account has no second factor yet: set one up through the API first."
            }
            "signed-out" => "You are signed out.",
            _ => "That did not work. Try again in a moment.",
        })
    }
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignIn<'a> {
    to: &'a str,
    problem: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "console/step_up.html")]
struct StepUp<'a> {
    shell: Shell,
    to: &'a str,
    problem: Option<&'static str>,
}

/// Asks who it is.
pub(crate) async fn show_sign_in(Query(given): Query<Given>) -> Answer {
    let (to, problem) = (console_page(&given.to), given.problem());
    shell::page(&SignIn { to, problem })
}

/// Asks for a second factor.
pub(crate) async fn show_step_up(operator: Operator, Query(given): Query<Given>) -> Answer {
    let shell = Shell::new(&operator, Tab::Overview, "Confirm that it is you");
    let (to, problem) = (console_page(&given.to), given.problem());
    shell::page(&StepUp { shell, to, problem })
}
