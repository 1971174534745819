//! Whose cold starts are measured, and with which event.

use crate::emulator;
use anyhow::{Context, Result};
use local::stack::STAGE;
use local::{Stack, aws};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The package that the others are compared with.
pub(super) const HELLO: &str = "hello";

/// A program that is started again and again.
pub(super) struct Subject {
    pub(super) function: String,
    pub(super) route: &'static str,
    pub(super) program: PathBuf,
    pub(super) event: Vec<u8>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) target: Option<f64>,
}

/// A route that is worth measuring.
struct Route {
    function: &'static str,
    route: &'static str,
    event: &'static str,
    /// Asks the database, and Secrets Manager for its login.
    needs_stack: bool,
    target: f64,
}

const ROUTES: [Route; 2] = [
    Route {
        function: "ops",
        route: "GET /api/v1/health",
        event: "events/ops-health.json",
        needs_stack: false,
        target: 1.5,
    },
    Route {
        function: "products",
        route: "GET /api/v1/products",
        event: "events/products-list.json",
        needs_stack: true,
        target: 5.0,
    },
];

/// A complete configuration for `ops`, which reaches nothing of it.
const UNREACHED: [(&str, &str); 17] = [
    ("STAGE", STAGE),
    ("DB_HOSTS", "127.0.0.1:1"),
    ("DB_SSLMODE", "disable"),
    ("TOKEN_ISSUER", "https://shop.example"),
    ("TOKEN_AUDIENCE", "holdfast"),
    ("CARTS_TABLE", "carts"),
    ("CONTROL_TABLE", "control"),
    ("SESSIONS_TABLE", "sessions"),
    ("LIMITS_TABLE", "limits"),
    ("LIMIT_PER_ADDRESS", "1000000"),
    ("ORDERS_QUEUE_URL", "http://127.0.0.1:1/orders"),
    ("MAIL_QUEUE_URL", "http://127.0.0.1:1/mail"),
    ("CATALOGUE_QUEUE_URL", "http://127.0.0.1:1/catalogue"),
    ("ANALYTICS_QUEUE_URL", "http://127.0.0.1:1/analytics"),
    ("MEDIA_BUCKET", "media"),
    ("MAIL_FROM", "Holdfast <shop@shop.example>"),
    ("MAIL_IDENTITY", "shop.example"),
];

/// The hello-world, then what can be measured of some functions; and the reasons for the rest.
///
/// # Errors
/// A sample event is missing.
pub(super) async fn choose(
    stack: &Stack,
    folder: &Path,
    functions: &[String],
) -> Result<(Vec<Subject>, Vec<String>)> {
    let program = |name: &str| folder.join(name).join("bootstrap");
    let mut subjects = vec![Subject {
        function: HELLO.into(),
        route: "",
        program: program(HELLO),
        event: event(stack, ROUTES[0].event)?,
        variables: lambda(),
        target: None,
    }];
    let mut left_out = Vec::new();
    let wanted = |route: &&Route| functions.iter().any(|name| name == route.function);
    for route in ROUTES.iter().filter(wanted) {
        let mut variables = lambda();
        match emulator::variables(stack, &format!("holdfast-{STAGE}-{}", route.function)).await {
            Ok(deployed) => variables.extend(deployed),
            Err(error) if route.needs_stack => {
                left_out.push(format!("{}: {error}", route.function));
                continue;
            }
            Err(_) => variables.extend(text(UNREACHED)),
        }
        subjects.push(Subject {
            function: route.function.into(),
            route: route.route,
            program: program(route.function),
            event: event(stack, route.event)?,
            variables,
            target: Some(route.target),
        });
    }
    Ok((subjects, left_out))
}

fn event(stack: &Stack, path: &str) -> Result<Vec<u8>> {
    std::fs::read(stack.root().join(path)).with_context(|| format!("{path} is missing."))
}

/// What Lambda itself sets.
fn lambda() -> BTreeMap<String, String> {
    text([
        ("AWS_REGION", aws::REGION),
        ("AWS_ACCESS_KEY_ID", aws::ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", aws::SECRET_KEY),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ])
}

fn text<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_that_reaches_nothing_takes_its_configuration() {
        use shared::config::{Config, OpsConfig};
        OpsConfig::parse(text(UNREACHED)).unwrap();
    }
}
