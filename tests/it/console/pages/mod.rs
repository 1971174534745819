//! Orders and dead letters in the console, as a browser without scripts gets them.

mod guests;
pub(super) mod letters;
mod orders;
mod trail;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use tests::shop::Shop;
use tests::{Account, Stack};

/// Somebody's browser. It follows no redirect by itself.
struct Browser {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

/// What a browser got.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Browser {
    /// Nobody's.
    fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none());
        Self {
            http: http.build().unwrap(),
            url: url.to_owned(),
            cookie: String::new(),
        }
    }

    /// An admin's who has signed in by the form, and has shown no second factor.
    async fn signed_in() -> Self {
        let stack = Stack::running();
        let Account {
            email, password, ..
        } = &stack.accounts.admin;
        let mut browser = Self::new(&stack.api_url);
        let form = [
            ("email", email.as_str()),
            ("password", password.as_str()),
            ("code", ""),
            ("to", "/console/orders"),
        ];
        let got = browser.post("/api/v1/auth/console/sign-in", &form).await;
        assert_eq!(got.expect(303).location(), "/console/orders");
        let set = got.headers.get_all(SET_COOKIE).iter();
        let pairs = set.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap());
        browser.cookie = pairs.collect::<Vec<_>>().join("; ");
        browser
    }

    /// The same after a second factor. Its token is the one that all tests share, because a code is
    /// good once.
    fn confirmed(shop: &Shop) -> Self {
        Self {
            cookie: format!("__Host-holdfast-console={}", shop.admin.token()),
            ..Self::new(&shop.api_url)
        }
    }

    async fn get(&self, path: &str) -> Got {
        read(self.http.get(self.at(path)).header(COOKIE, &self.cookie)).await
    }

    /// Sends a form of one of our own pages.
    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Got {
        let request = self.http.post(self.at(path)).form(form);
        let request = request.header("sec-fetch-site", "same-origin");
        read(request.header(COOKIE, &self.cookie)).await
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

async fn read(request: RequestBuilder) -> Got {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    Got {
        status,
        headers,
        text,
    }
}

impl Got {
    #[track_caller]
    fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }

    /// Where it leads.
    fn location(&self) -> &str {
        let location = self.headers.get(LOCATION);
        location.map_or("", |location| location.to_str().unwrap())
    }

    /// What every page must have, and these words.
    #[track_caller]
    fn shows(&self, words: &[&str]) {
        let policy = self.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("script-src 'self'"), "{policy}");
        assert_eq!(self.headers["cache-control"], "no-store");
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
