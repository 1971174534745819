//! A browser without a screen, and the people who sit before it.

use std::collections::BTreeMap;

use reqwest::header::SET_COOKIE;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shared::domain::totp::TotpSecret;
use tests::client::{Answer, Client, read};
use tests::shop::Shop;
use time::{Duration, OffsetDateTime};

/// The cookie with the access token.
pub(super) const TOKEN: &str = "__Host-holdfast-console";

/// The cookie with the refresh token.
pub(super) const SESSION: &str = "__Secure-holdfast-console-session";

/// Where the forms of signing in go to.
pub(super) const FORMS: &str = "/api/v1/auth/console";

/// A browser without a screen: it keeps cookies, sends them where they belong, and follows nothing.
pub(super) struct Browser {
    http: reqwest::Client,
    url: String,
    /// Value and path by name.
    pub(super) cookies: BTreeMap<String, (String, String)>,
}

impl Browser {
    pub(super) fn at(url: &str) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none());
        Self {
            http: http.build().unwrap(),
            url: url.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// The same with an access token that it was never given.
    pub(super) fn with_token(mut self, token: &str) -> Self {
        let cookie = (token.to_owned(), "/".to_owned());
        self.cookies.insert(TOKEN.to_owned(), cookie);
        self
    }

    /// A request as a browser sends one that its user makes on a page of the console.
    pub(super) fn request(&self, method: &Method, path: &str) -> RequestBuilder {
        self.request_from(("sec-fetch-site", "same-origin"), method, path)
    }

    /// The same from somewhere, as a header says.
    pub(super) fn request_from(
        &self,
        (name, value): (&str, &str),
        method: &Method,
        path: &str,
    ) -> RequestBuilder {
        let request = self
            .http
            .request(method.clone(), format!("{}{path}", self.url))
            .header(name, value);
        let sent = self.cookies.iter();
        let sent = sent.filter(|(_, (_, below))| path.starts_with(below));
        let sent: Vec<String> = sent
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        if sent.is_empty() {
            request
        } else {
            request.header("cookie", sent.join("; "))
        }
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        let request = self.request(&Method::GET, path);
        self.keep(read(request).await)
    }

    pub(super) async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.request(&Method::POST, path).form(form);
        self.keep(read(request).await)
    }

    /// Keeps and forgets what an answer says, and holds that it is nothing for machines.
    pub(super) fn keep(&mut self, answer: Answer) -> Answer {
        for value in answer.headers.get_all(SET_COOKIE) {
            let text = value.to_str().unwrap();
            let (cookie, attributes) = text.split_once("; ").unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            let attribute = |wanted: &str| {
                let mut all = attributes.split("; ");
                all.find_map(|one| one.strip_prefix(wanted)).unwrap_or("")
            };
            if attribute("Max-Age=") == "0" {
                self.cookies.remove(name);
            } else {
                let kept = (value.to_owned(), attribute("Path=").to_owned());
                self.cookies.insert(name.to_owned(), kept);
            }
        }
        // An empty answer has no type of its own, and a gateway may give it one.
        assert!(
            answer.bytes.is_empty() || !answer.header("content-type").contains("json"),
            "JSON in somebody's face: {answer:?}"
        );
        answer
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(|(value, _)| value.as_str())
    }

    pub(super) async fn sign_in(&mut self, person: &Person, code: &str) -> Answer {
        let form = [
            ("email", person.email.as_str()),
            ("password", person.password.as_str()),
            ("code", code),
            ("to", "/console/switches"),
        ];
        self.submit(&format!("{FORMS}/sign-in"), &form).await
    }
}

/// Where an answer leads.
#[track_caller]
pub(super) fn location(answer: Answer) -> String {
    let answer = answer.expect(303);
    assert!(
        answer.bytes.is_empty(),
        "a redirect has nothing to read: {answer:?}"
    );
    answer.header("location").to_owned()
}

/// Somebody with an account of their own.
pub(super) struct Person {
    pub(super) email: String,
    pub(super) password: String,
    /// Each is good once, at any time.
    pub(super) codes: Vec<String>,
}

impl Person {
    /// Somebody new, without rights and without a second factor.
    pub(super) async fn customer(shop: &Shop) -> Self {
        let (_, credentials) = shop.newcomer_with_credentials().await;
        Self {
            email: text(&credentials["email"]),
            password: text(&credentials["password"]),
            codes: Vec::new(),
        }
    }

    /// An admin without a second factor.
    pub(super) async fn admin(shop: &Shop) -> Self {
        let person = Self::customer(shop).await;
        let me = person.client(shop).await.get("/auth/me").await.expect(200);
        let path = format!("/admin/users/{}/role", text(&me.body["id"]));
        let role = json!({"role": "admin"});
        let _ = shop.admin.put(&path, role).await.expect(204);
        person
    }

    /// An admin with a second factor.
    pub(super) async fn operator(shop: &Shop) -> Self {
        let person = Self::admin(shop).await;
        let client = person.client(shop).await;
        let factor = client.post("/auth/totp", Value::Null).await.expect(200);
        let secret = TotpSecret::from_text(&text(&factor.body["secret"])).unwrap();
        let code = secret.code(OffsetDateTime::now_utc() - Duration::seconds(30));
        let first = json!({ "code": code });
        let _ = client.post("/auth/totp/confirm", first).await.expect(204);
        let codes = factor.body["recovery_codes"].clone();
        Self {
            codes: serde_json::from_value(codes).unwrap(),
            ..person
        }
    }

    pub(super) async fn client(&self, shop: &Shop) -> Client {
        Client::signed_in(&shop.api_url, &self.email, &self.password).await
    }

    /// How many sessions they have; asking makes one of its own.
    pub(super) async fn sessions(&self, shop: &Shop) -> usize {
        let client = self.client(shop).await;
        let sessions = client.get("/auth/sessions?limit=100").await.expect(200);
        sessions.body["items"].as_array().unwrap().len()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
