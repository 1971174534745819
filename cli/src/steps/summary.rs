//! What `up` says at its end. The words are in `summary.txt`.

use super::accounts::Accounts;
use super::deploy::Limits;
use local::{Port, Stack};
use std::time::Duration;

const TEXT: &str = include_str!("summary.txt");

/// Fills the stack's addresses and accounts into the text.
pub(crate) fn text(
    stack: &Stack,
    accounts: &Accounts,
    limits: Limits,
    elapsed: Duration,
) -> String {
    let limits = match limits {
        Limits::Local => "local: hardly any, so that one machine can play many customers",
        Limits::Production => "production, until the next plain `up`",
    };
    let values = [
        ("api_url", stack.url(Port::Front)),
        ("docs_url", docs_url(stack)),
        ("console_url", console_url(stack)),
        ("aws_url", stack.url(Port::Aws)),
        ("payments_url", stack.url(Port::Payments)),
        ("limits", limits.into()),
        ("seconds", format!("{:.1}", elapsed.as_secs_f32())),
        ("admin_email", accounts.admin.email.clone()),
        ("admin_password", accounts.admin.password.clone()),
        ("seller_email", accounts.seller.email.clone()),
        ("seller_password", accounts.seller.password.clone()),
        ("customer_email", accounts.customer.email.clone()),
        ("customer_password", accounts.customer.password.clone()),
    ];
    values.iter().fold(TEXT.to_owned(), |text, (name, value)| {
        text.replace(&format!("<{name}>"), value)
    })
}

/// The page that documents the API.
pub(crate) fn docs_url(stack: &Stack) -> String {
    format!("{}/docs", stack.url(Port::Front))
}

/// The pages for whoever is on call.
pub(crate) fn console_url(stack: &Stack) -> String {
    format!("{}/console", stack.url(Port::Front))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::accounts::Account;

    #[test]
    fn every_place_in_the_text_is_filled() {
        let stack = Stack::open(std::path::Path::new("/tmp"), "default", Some(27_800)).unwrap();
        let account = || Account {
            email: "E".into(),
            password: "P".into(),
            totp_secret: None,
        };
        let accounts = Accounts {
            admin: account(),
            seller: account(),
            customer: account(),
        };
        let text = text(
            &stack,
            &accounts,
            Limits::Production,
            Duration::from_secs(3),
        );
        assert!(
            text.contains("http://127.0.0.1:27800/docs")
                && text.contains("http://127.0.0.1:27800/console")
                && text.contains("3.0 s")
                && text.contains("limits     production"),
            "{text}"
        );
        let open = text
            .split('<')
            .skip(1)
            .filter_map(|rest| rest.split_once('>'))
            .map(|(name, _)| name);
        let unfilled: Vec<&str> = open
            .filter(|name| name.ends_with("_url") || name.contains("_"))
            .collect();
        assert!(unfilled.is_empty(), "{unfilled:?}");
    }
}
