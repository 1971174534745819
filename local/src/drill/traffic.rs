//! Customers who keep coming, whatever happens.

use super::answers::{Act, Answer, Outcome};
use super::http::{Reply, send};
use super::scene::{Buyer, Scene, text};
use rand::RngExt;
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Between two acts of one customer, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 100..400;

/// An order that got an error is sent again under its key, as API.md tells clients to.
const REPEAT_AFTER: Duration = Duration::from_secs(1);

/// Repeats of one order after the traffic was told to end.
const LAST_REPEATS: u32 = 30;

/// Running customers.
#[derive(Debug)]
pub struct Traffic {
    began: Instant,
    end: watch::Sender<bool>,
    customers: JoinSet<Customer>,
}

impl Traffic {
    /// Lets every buyer of the scene loose.
    pub fn start(scene: &Scene) -> Self {
        let began = Instant::now();
        let (end, ended) = watch::channel(false);
        let mut customers = JoinSet::new();
        for buyer in &scene.buyers {
            let customer = Customer {
                scene: scene.clone(),
                buyer: buyer.clone(),
                began,
                ended: ended.clone(),
                answers: Vec::new(),
                outcomes: Vec::new(),
            };
            customers.spawn(customer.run());
        }
        Self {
            began,
            end,
            customers,
        }
    }

    /// How long it has been running.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Lets nobody begin anything new, waits until every order under way has an answer, and tells
    /// what everybody got.
    pub async fn end(self) -> (Vec<Answer>, Vec<Outcome>) {
        let _ = self.end.send(true);
        let (mut answers, mut outcomes) = (Vec::new(), Vec::new());
        for customer in self.customers.join_all().await {
            answers.extend(customer.answers);
            outcomes.extend(customer.outcomes);
        }
        answers.sort_by_key(|answer| answer.at);
        (answers, outcomes)
    }
}

#[derive(Debug)]
struct Customer {
    scene: Scene,
    buyer: Buyer,
    began: Instant,
    ended: watch::Receiver<bool>,
    answers: Vec<Answer>,
    outcomes: Vec<Outcome>,
}

impl Customer {
    async fn run(mut self) -> Self {
        while !*self.ended.borrow() {
            let dice: u8 = rand::rng().random_range(0..10);
            match dice {
                0..5 => self.browse().await,
                5 => self.sign_in(true).await,
                6 => self.sign_in(false).await,
                _ => self.order().await,
            }
            let pause = Duration::from_millis(rand::rng().random_range(PAUSE_MS));
            tokio::time::sleep(pause).await;
        }
        self
    }

    async fn browse(&mut self) {
        let product = &self.scene.goods[rand::rng().random_range(0..self.scene.goods.len())];
        let path = match rand::rng().random_range(0..3) {
            0 => "/products?limit=20".to_owned(),
            1 => "/categories".to_owned(),
            _ => format!("/products/{}", product.slug),
        };
        let request = self.scene.http.request(Method::GET, &path, "");
        let _ = self.ask(Act::Browse, request).await;
    }

    /// With the password or the refresh token, and with the other when the shop cannot take the
    /// one: that they are signed in is what counts for a customer.
    async fn sign_in(&mut self, password_first: bool) {
        let at = self.began.elapsed();
        let mut reply = self.open_session(password_first).await;
        if matches!(reply.status, 0 | 500..) {
            reply = self.open_session(!password_first).await;
        }
        self.note(Act::SignIn, at, &reply);
    }

    async fn open_session(&mut self, by_password: bool) -> Reply {
        let by_password = by_password || self.buyer.refresh_token.is_empty();
        let sign_in = &self.buyer.sign_in;
        let (path, body) = match by_password {
            true => (
                "/auth/login",
                json!({"email": sign_in.email, "password": sign_in.password}),
            ),
            false => (
                "/auth/refresh",
                json!({"refresh_token": self.buyer.refresh_token}),
            ),
        };
        let request = self.scene.http.request(Method::POST, path, "").json(&body);
        let reply = send(request).await;
        if reply.status == 200 {
            self.buyer.access_token = text(&reply.body, "access_token");
            self.buyer.refresh_token = text(&reply.body, "refresh_token");
        } else if reply.status == 401 && !by_password {
            // Its successor got lost with an answer, longer ago than the shop gives it again.
            self.buyer.refresh_token.clear();
        }
        reply
    }

    async fn order(&mut self) {
        let body = self.order_body();
        let mut outcome = Outcome {
            customer_id: self.buyer.id,
            key: Uuid::new_v4().to_string(),
            status: 0,
            total_minor: None,
            ids: Vec::new(),
        };
        let mut repeats_left = LAST_REPEATS;
        loop {
            let token = &self.buyer.access_token;
            let request = self
                .scene
                .http
                .request(Method::POST, "/checkout", token)
                .header("idempotency-key", &outcome.key)
                .json(&body);
            let reply = self.ask(Act::Order, request).await;
            outcome.hear(&reply);
            if !is_to_be_repeated(&reply) {
                break;
            }
            if *self.ended.borrow() {
                repeats_left -= 1;
            }
            if repeats_left == 0 {
                break;
            }
            tokio::time::sleep(REPEAT_AFTER).await;
        }
        self.outcomes.push(outcome);
    }

    fn order_body(&self) -> Value {
        let mut rng = rand::rng();
        let token = match rng.random_range(0..20) {
            0 => "pm_card_visa_chargeDeclined",
            _ => "pm_card_visa",
        };
        let goods = &self.scene.goods;
        // Rarely what there is little of, so that it lasts for a while.
        let good = match rng.random_range(0..20) {
            0 => &goods[goods.len() - 1],
            _ => &goods[rng.random_range(0..goods.len() - 1)],
        };
        json!({
            "lines": [{"sku": good.sku, "quantity": rng.random_range(1..4)}],
            "payment": {"method": "card", "token": token},
            "shipping_address": {"name": "Ada Lovelace", "line1": "1 Main Street", "city": "Berlin",
                "postal_code": "10115", "country": "DE"},
        })
    }

    async fn ask(&mut self, act: Act, request: reqwest::RequestBuilder) -> Reply {
        let at = self.began.elapsed();
        let reply = send(request).await;
        self.note(act, at, &reply);
        reply
    }

    fn note(&mut self, act: Act, at: Duration, reply: &Reply) {
        self.answers.push(Answer {
            act,
            at,
            took: self.began.elapsed() - at,
            status: reply.status,
            degraded: reply.degraded.clone(),
        });
    }
}

fn is_to_be_repeated(reply: &Reply) -> bool {
    let in_progress = reply.status == 409
        && reply.body["type"]
            .as_str()
            .is_some_and(|problem| problem.ends_with("in-progress"));
    in_progress || matches!(reply.status, 0 | 429 | 500..)
}

impl Outcome {
    fn hear(&mut self, reply: &Reply) {
        self.status = reply.status;
        let id = reply.body["id"]
            .as_str()
            .or(reply.body["order_id"].as_str());
        let Some(id) = id.and_then(|id| id.parse().ok()) else {
            return;
        };
        if !self.ids.contains(&id) {
            self.ids.push(id);
        }
        if let Some(total) = reply.body["totals"]["total"]["amount"].as_i64() {
            self.total_minor = Some(total);
        }
    }
}
