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
            "If it was you, sign in with the password that you have. If it was not, nothing has changed and there is nothing to do.".to_owned(),
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

    #[test]
    fn verification_link_carries_the_token_and_one_slash() {
        let shop = ShopConfig {
            name: "Holdfast".into(),
            url: "https://shop.example/".into(),
        };
        let to = Recipient {
            email: "ada@example.com".into(),
            name: "Ada".into(),
        };
        let token = Opaque::from_bytes([0; 32]);
        let letter = verification(&shop, to, &token).letter(&shop).unwrap();
        let link = format!(
            "https://shop.example/verify-email?token={}",
            token.to_text()
        );
        assert!(letter.text.contains(&link), "{}", letter.text);
        assert!(
            letter.html.contains(&format!("href=\"{link}\"")),
            "{}",
            letter.html
        );
    }
}
