//! Where one signs in and shows a second factor. The forms go to `auth`, which answers with a
//! cookie and the way back.

use askama::Template;
use serde::Deserialize;
use shared::http::{Query, console_page};

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

/// What is said above the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Notice {
    tone: &'static str,
    words: &'static str,
}

impl Given {
    /// What became of the last try, by the word that `auth` wrote into the address
    /// (`functions/auth/src/console/onwards.rs`). The address never has the sentence itself.
    fn notice(&self) -> Option<Notice> {
        let (tone, words) = match self.problem.as_deref()? {
            "credentials" => (
                "bad",
                "The address and the password do not match an account.",
            ),
            "code" => (
                "bad",
                "That is not a good code. Each is good once, and only for a minute.",
            ),
            "too-many" => (
                "bad",
                "Too many tries. Wait a minute, or after wrong codes up to a quarter of an hour, \
                 then try again.",
            ),
            "no-factor" => (
                "bad",
                "This account has no second factor yet: set one up through the API first.",
            ),
            "not-admin" => (
                "bad",
                "The console is for admins, and this account is none. You are not signed in.",
            ),
            "away" => (
                "bad",
                "Something that this needs is away. Try again in a moment; /api/v1/health/ready \
                 says what it is.",
            ),
            "foreign" => (
                "bad",
                "That form was not sent from this console. Nothing was done.",
            ),
            "signed-out" => ("good", "You are signed out."),
            "signed-out-here" => (
                "warn",
                "You are signed out in this browser. The session itself could not be ended: POST \
                 /api/v1/auth/logout-all ends it, and every other one of yours.",
            ),
            _ => ("bad", "That did not work. Try again in a moment."),
        };
        Some(Notice { tone, words })
    }
}

#[derive(Template)]
#[template(path = "console/sign_in.html")]
struct SignIn<'a> {
    to: &'a str,
    notice: Option<Notice>,
}

#[derive(Template)]
#[template(path = "console/step_up.html")]
struct StepUp<'a> {
    shell: Shell,
    to: &'a str,
    notice: Option<Notice>,
}

/// Asks who it is.
pub(crate) async fn show_sign_in(Query(given): Query<Given>) -> Answer {
    let (to, notice) = (console_page(&given.to), given.notice());
    shell::page(&SignIn { to, notice })
}

/// Asks for a second factor.
pub(crate) async fn show_step_up(operator: Operator, Query(given): Query<Given>) -> Answer {
    let shell = Shell::new(&operator, Tab::Overview, "Confirm that it is you");
    let (to, notice) = (console_page(&given.to), given.notice());
    shell::page(&StepUp { shell, to, notice })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(problem: &str) -> Option<Notice> {
        let problem = Some(problem.to_owned());
        let to = String::new();
        Given { to, problem }.notice()
    }

    #[test]
    fn address_has_no_say_in_what_is_shown() {
        let unknown = after("Your account was <b>stolen</b>").unwrap();
        assert_eq!(unknown, after("failed").unwrap());
        assert_eq!(unknown.words, "That did not work. Try again in a moment.");
    }

    #[test]
    fn signing_out_is_no_failure() {
        assert_eq!(after("signed-out").unwrap().tone, "good");
        assert_eq!(after("credentials").unwrap().tone, "bad");
    }
}
