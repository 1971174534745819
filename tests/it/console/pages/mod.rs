//! Orders and dead letters in the console, as a browser without scripts gets them.

mod guests;
pub(super) mod letters;
mod orders;
mod trail;

use reqwest::{Method, RequestBuilder};
use tests::client::{self, Answer};
use tests::shop::Shop;
use tests::{Account, Stack};

use super::browser::{self, FORMS, location};

/// Somebody's browser, which gets no new cookies while it looks around.
struct Browser(browser::Browser);

/// What a browser got.
struct Got {
    answer: Answer,
    text: String,
}

impl Browser {
    /// An admin's who has signed in by the form, and has shown no second factor.
    async fn signed_in() -> Self {
        let stack = Stack::running();
        let Account {
            email, password, ..
        } = &stack.accounts.admin;
        let form = [
            ("email", email.as_str()),
            ("password", password.as_str()),
            ("code", ""),
            ("to", "/console/orders"),
        ];
        let mut browser = browser::Browser::at(&stack.api_url);
        let answer = browser.submit(&format!("{FORMS}/sign-in"), &form).await;
        assert_eq!(location(answer), "/console/orders");
        Self(browser)
    }

    /// The same after a second factor. Its token is the one that all tests share, because a code is
    /// good once.
    fn confirmed(shop: &Shop) -> Self {
        Self(browser::Browser::at(&shop.api_url).with_token(shop.admin.token()))
    }

    async fn get(&self, path: &str) -> Got {
        read(self.0.request(&Method::GET, path)).await
    }

    /// Sends a form of one of our own pages.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Got {
        read(self.0.request(&Method::POST, path).form(form)).await
    }
}

async fn read(request: RequestBuilder) -> Got {
    let answer = client::read(request).await;
    let text = String::from_utf8(answer.bytes.clone()).unwrap();
    Got { answer, text }
}

impl Got {
    #[track_caller]
    fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.answer.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Where it leads.
    fn location(&self) -> &str {
        self.answer.header("location")
    }

    /// What every page must have, and these words.
    #[track_caller]
    fn shows(&self, words: &[&str]) {
        let policy = self.answer.header("content-security-policy");
        assert!(policy.contains("script-src 'self'"), "{policy}");
        let opener = self.answer.header("cross-origin-opener-policy");
        assert_eq!(opener, "same-origin");
        assert_eq!(self.answer.header("cache-control"), "no-store");
        for word in words {
            assert!(self.text.contains(word), "{word} is not in {}", self.text);
        }
    }

    #[track_caller]
    fn lacks(&self, words: &[&str]) {
        for word in words {
            assert!(!self.text.contains(word), "{word} is in {}", self.text);
        }
    }
}
