//! Mails about an account.

use shared::config::ShopConfig;
use shared::domain::secrets::Opaque;
use shared::store::accounts::Recipient;

use crate::letter::{Action, Content};

/// Asks the owner of an address to verify it.
pub(crate) fn verification(shop: &ShopConfig, to: Recipient, token: &Opaque) -> Content {
    let link = format!("{}/verify-email?token={}", root(shop), token.to_text());
    Content {
        to: to.email,
        subject: format!("Verify your address for {}", shop.name),
        heading: format!("Welcome, {}", to.name),
        paragraphs: vec![
            format!(
                "Please verify that this address is yours. You can already shop at {}.",
                shop.name
            ),
            "The link is good for 24 hours, once. If you did not register, there is nothing to do."
                .to_owned(),
        ],
        action: Some(Action {
            label: "Verify my address",
            link,
        }),
        summary: None,
    }
}

/// Tells the owner of an address that somebody registered with it again.
pub(crate) fn address_taken(shop: &ShopConfig, to: Recipient) -> Content {
    Content {
        to: to.email,
        subject: format!("You already have an account at {}", shop.name),
        heading: format!("You already have an account, {}", to.name),
        paragraphs: vec![
            format!("Somebody tried to register at {} with this address.", shop.name),
            "If it was you, sign in with the password that you have, or choose another one there if you forgot it. If it was not, nothing has changed and there is nothing to do.".to_owned(),
        ],
        action: Some(Action {
            label: "Go to the shop",
            link: root(shop).to_owned(),
        }),
        summary: None,
    }
}

/// Lets the owner of an account choose another password.
pub(crate) fn password_reset(shop: &ShopConfig, to: Recipient, token: &Opaque) -> Content {
    let link = format!("{}/reset-password?token={}", root(shop), token.to_text());
    Content {
        to: to.email,
        subject: format!("Choose another password for {}", shop.name),
        heading: format!("Hello {}", to.name),
        paragraphs: vec![
            format!("Somebody asked for another password for your account at {}.", shop.name),
            "If it was you, choose one with this link. It is good for an hour, once; then you are signed out everywhere. If it was not, nothing has changed and there is nothing to do.".to_owned(),
        ],
        action: Some(Action {
            label: "Choose another password",
            link,
        }),
        summary: None,
    }
}

/// Tells the owner of an account that it has another password.
pub(crate) fn password_changed(shop: &ShopConfig, to: Recipient) -> Content {
    told(
        shop,
        to,
        "Your password was changed",
        format!(
            "The password of your account at {} was changed, and it was signed out everywhere.",
            shop.name
        ),
    )
}

/// Tells the owner of an account that it has a new second factor.
pub(crate) fn second_factor_set(shop: &ShopConfig, to: Recipient) -> Content {
    told(
        shop,
        to,
        "A second factor was set up",
        format!(
            "A device that shows codes was set up for your account at {}.",
            shop.name
        ),
    )
}

/// Something that the owner did, or somebody who should not have been able to.
fn told(shop: &ShopConfig, to: Recipient, what: &'static str, paragraph: String) -> Content {
    Content {
        to: to.email,
        subject: format!("{}: {what}", shop.name),
        heading: format!("Hello {}", to.name),
        paragraphs: vec![
            paragraph,
            "If it was you, there is nothing to do. If it was not, choose another password at once: ask for one with “forgotten password”, and then write to the shop.".to_owned(),
        ],
        action: Some(Action {
            label: "Go to the shop",
            link: root(shop).to_owned(),
        }),
        summary: None,
    }
}

/// The shop's address without the slash that it may end with.
pub(crate) fn root(shop: &ShopConfig) -> &str {
    shop.url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> ShopConfig {
        ShopConfig {
            name: "Holdfast".into(),
            url: "https://shop.example/".into(),
        }
    }

    fn ada() -> Recipient {
        Recipient {
            email: "ada@example.com".into(),
            name: "Ada".into(),
        }
    }

    #[test]
    fn link_carries_the_token_and_one_slash() {
        let token = Opaque::from_bytes([0; 32]);
        for (content, path) in [
            (verification(&shop(), ada(), &token), "verify-email"),
            (password_reset(&shop(), ada(), &token), "reset-password"),
        ] {
            let letter = content.letter(&shop()).unwrap();
            let link = format!("https://shop.example/{path}?token={}", token.to_text());
            assert!(letter.text.contains(&link), "{}", letter.text);
            assert!(
                letter.html.contains(&format!("href=\"{link}\"")),
                "{}",
                letter.html
            );
        }
    }

    #[test]
    fn owner_is_told_what_to_do_if_it_was_somebody_else() {
        for content in [
            password_changed(&shop(), ada()),
            second_factor_set(&shop(), ada()),
        ] {
            let letter = content.letter(&shop()).unwrap();
            assert_eq!(letter.to, "ada@example.com");
            assert!(
                letter.subject.starts_with("Holdfast: "),
                "{}",
                letter.subject
            );
            assert!(letter.text.contains("If it was not"), "{}", letter.text);
        }
    }
}
