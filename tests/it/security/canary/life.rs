//! The canary's life, as it should go: it registers, signs in, buys, and loses its password.

use std::collections::BTreeMap;

use local::stack::STAGE;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::payment::holds_card_number;
use shared::domain::totp::TotpSecret;
use tests::Stack;
use tests::client::{Answer, Client, read};
use tests::shop::{Shop, VISA, eventually, new_key, order_of};
use tests::traces::{Needle, log_lines};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The person, and what they have that nobody else may see.
pub(super) struct Canary {
    pub(super) stack: Stack,
    pub(super) shop: Shop,
    email: String,
    password: String,
    name: String,
    street: String,
    card: String,
    /// What the API has given out, the last of each kind.
    given: BTreeMap<&'static str, String>,
    pub(super) needles: Vec<Needle>,
    client: Client,
}

impl Canary {
    pub(super) async fn hatch() -> Self {
        let mark = Uuid::new_v4().simple().to_string();
        let (stack, shop) = (Stack::running(), Shop::open().await);
        let mut canary = Self {
            client: Client::anonymous(&stack.api_url),
            email: format!("canary-{mark}@leaks.example"),
            password: format!("Cage&{}", Uuid::new_v4().simple()),
            name: format!("Bird {}", &mark[..12]),
            street: format!("{} Mine Shaft", &mark[12..]),
            card: card_number(&mark),
            given: BTreeMap::new(),
            needles: Vec::new(),
            stack,
            shop,
        };
        for (what, text) in [
            ("mail address", canary.email.clone()),
            ("password", canary.password.clone()),
            ("name", canary.name.clone()),
            ("street", canary.street.clone()),
            ("card number", canary.card.clone()),
        ] {
            canary.keep(what, &text);
        }
        canary
    }

    fn keep(&mut self, what: &'static str, text: &str) {
        self.needles.push(Needle::new(what, text));
    }

    /// What stands in an answer is kept, and given back.
    fn keep_of(&mut self, what: &'static str, answer: &Answer, member: &str) -> String {
        let text = answer.body[member].as_str().unwrap().to_owned();
        self.keep(what, &text);
        self.given.insert(what, text.clone());
        text
    }

    /// Keeps both tokens; the access token's signature says as much as all of it.
    fn keep_pair(&mut self, answer: &Answer) -> String {
        let access = answer.body["access_token"].as_str().unwrap();
        self.client = self.client.with_token(access);
        self.given.insert("access token", access.to_owned());
        self.keep("access token", access.rsplit('.').next().unwrap());
        self.keep_of("refresh token", answer, "refresh_token")
    }

    async fn log_in(&mut self) -> String {
        let body = json!({"email": self.email, "password": self.password});
        let answer = self.client.post("/auth/login", body).await.expect(200);
        self.keep_pair(&answer)
    }

    /// The token of the newest mail that leads to `page`.
    async fn mailed_token(&self, page: &str) -> String {
        let begin = format!("/{page}?token=");
        eventually(page, async || {
            let mails = self.stack.ses_mails_to(&self.email).await;
            let mut texts = mails.iter().rev().map(ToString::to_string);
            let text = texts.find(|text| text.contains(&begin))?;
            Some(text.split_once(&begin)?.1.chars().take(43).collect())
        })
        .await
    }

    /// Lives as people do.
    pub(super) async fn live(&mut self) {
        let body = json!({"email": self.email, "password": self.password, "name": self.name});
        let _ = self
            .client
            .post("/auth/register", body.clone())
            .await
            .expect(202);
        let _ = self.client.post("/auth/register", body).await.expect(202);
        let token = self.mailed_token("verify-email").await;
        self.keep("mail token", &token);
        let _ = self
            .client
            .post("/auth/verify-email", json!({ "token": token }))
            .await
            .expect(200);
        let wrong = json!({"email": self.email, "password": format!("{}x", self.password)});
        let _ = self.client.post("/auth/login", wrong).await.expect(401);
        let refresh = self.log_in().await;
        let refreshed = self
            .client
            .post("/auth/refresh", json!({ "refresh_token": refresh }))
            .await
            .expect(200);
        let refresh = self.keep_pair(&refreshed);
        self.set_up_a_second_factor().await;
        self.buy().await;
        let _ = self
            .client
            .post("/auth/logout", json!({ "refresh_token": refresh }))
            .await
            .expect(204);
        self.change_the_password().await;
    }

    async fn set_up_a_second_factor(&mut self) {
        let factor = self
            .client
            .post("/auth/totp", Value::Null)
            .await
            .expect(200);
        let secret = self.keep_of("TOTP secret", &factor, "secret");
        let recovery = factor.body["recovery_codes"][0]
            .as_str()
            .unwrap()
            .to_owned();
        self.keep("recovery code", &recovery);
        let secret = TotpSecret::from_text(&secret).unwrap();
        let code = secret.code(OffsetDateTime::now_utc() - Duration::seconds(30));
        let _ = self
            .client
            .post("/auth/totp/confirm", json!({ "code": code }))
            .await
            .expect(204);
        let stepped = self
            .client
            .post("/auth/step-up", json!({ "code": recovery }))
            .await
            .expect(200);
        let token = stepped.body["access_token"].as_str().unwrap();
        self.keep("access token", token.rsplit('.').next().unwrap());
    }

    async fn buy(&self) {
        let sku = self.shop.product(1000, 9).await;
        for (token, status) in [
            (VISA, 201),
            ("pm_card_visa_chargeDeclined", 402),
            (self.card.as_str(), 422),
        ] {
            let mut body = order_of(&sku, 1, token);
            body["shipping_address"]["name"] = json!(self.name);
            body["shipping_address"]["line1"] = json!(self.street);
            let _ = self
                .client
                .post_once("/checkout", &new_key(), &body)
                .await
                .expect(status);
        }
        let _ = self
            .client
            .post("/payment-methods", json!({ "token": self.card }))
            .await
            .expect(422);
        let _ = self
            .client
            .post("/payment-methods", json!({ "token": VISA }))
            .await
            .expect(201);
        let listed = self.client.get("/orders").await.expect(200);
        let order = format!(
            "/orders/{}/cancel",
            listed.body["items"][0]["id"].as_str().unwrap()
        );
        let _ = self.client.post(&order, Value::Null).await;
    }

    async fn change_the_password(&mut self) {
        let _ = self
            .client
            .post("/auth/password/forgot", json!({"email": self.email}))
            .await
            .expect(202);
        let token = self.mailed_token("reset-password").await;
        self.keep("mail token", &token);
        for status in [204, 422] {
            self.password = format!("Cage&{}", Uuid::new_v4().simple());
            self.keep("password", &self.password.clone());
            let body = json!({"token": token, "password": self.password});
            let _ = self
                .client
                .post("/auth/password/reset", body)
                .await
                .expect(status);
            if status == 204 {
                self.log_in().await;
                let next = format!("Cage&{}", Uuid::new_v4().simple());
                self.keep("password", &next);
                let body = json!({"current_password": self.password, "new_password": next});
                let _ = self
                    .client
                    .post("/auth/password/change", body)
                    .await
                    .expect(204);
            }
        }
    }

    /// What is known of the person, each as whoever sends it in the wrong place would.
    pub(super) fn texts(&self) -> Vec<String> {
        let own = [
            &self.email,
            &self.password,
            &self.name,
            &self.street,
            &self.card,
        ];
        own.into_iter()
            .chain(self.given.values())
            .cloned()
            .collect()
    }

    /// A request whose line must be in the log, after which all earlier ones are.
    pub(super) async fn leave_a_mark(&mut self) {
        let mark = format!("mark-{}", Uuid::new_v4().simple());
        let since = OffsetDateTime::now_utc() - Duration::minutes(1);
        for (function, path) in [
            ("auth", "/auth/me"),
            ("products", "/products"),
            ("checkout", "/orders"),
            ("ops", "/health"),
        ] {
            let _ = read(
                self.client
                    .request(Method::GET, path)
                    .header("x-request-id", &mark),
            )
            .await;
            let group = format!("/aws/lambda/holdfast-{STAGE}-{function}");
            eventually("the log line", async || {
                log_lines(&self.stack, &group, since)
                    .await
                    .contains(&mark)
                    .then_some(())
            })
            .await;
        }
        self.keep("request id", &mark);
    }
}

/// Sixteen digits that pass for a card's, made of a text.
fn card_number(mark: &str) -> String {
    let digits = mark.bytes().map(|byte| char::from(b'0' + byte % 10));
    let body: String = "4000".chars().chain(digits).take(15).collect();
    let all = (0..10).map(|check| format!("{body}{check}"));
    let mut good = all.filter(|number| holds_card_number(number));
    good.next().unwrap()
}
