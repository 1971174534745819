//! The people of the matrix and the things that they try their hands on, on the deployed stack.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shared::providers::signing::PrivateKey;
use tests::Stack;
use tests::client::{Answer, read};
use tests::contract::ID;
use tests::shop::{VISA, new_key, order_of};
use uuid::Uuid;

use super::tokens::Keys;

/// Who calls, in the order of the table's columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    Anonymous,
    OtherCustomer,
    Owner,
    Seller,
    OtherSeller,
    Admin,
    SteppedUp,
    Deleted,
    Expired,
    Revoked,
}

impl Who {
    pub(super) const ALL: [Self; 10] = [
        Self::Anonymous,
        Self::OtherCustomer,
        Self::Owner,
        Self::Seller,
        Self::OtherSeller,
        Self::Admin,
        Self::SteppedUp,
        Self::Deleted,
        Self::Expired,
        Self::Revoked,
    ];

    /// Those whose token is good no more, and those without one.
    const fn is_stranger(self) -> bool {
        matches!(
            self,
            Self::Anonymous | Self::Deleted | Self::Expired | Self::Revoked
        )
    }

    const fn role(self) -> &'static str {
        match self {
            Self::Seller | Self::OtherSeller => "seller",
            // An expired and a revoked token would open everything, if they opened anything.
            Self::Admin | Self::SteppedUp | Self::Expired | Self::Revoked => "admin",
            _ => "customer",
        }
    }
}

/// What an operation is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thing {
    Nothing,
    /// The caller's own account, made for this.
    Caller,
    /// The owner's account.
    Account,
    /// A session of the owner's.
    Session,
    /// A product of the seller's that everybody sees.
    OnSale,
    /// One that nobody else sees.
    Draft,
    Category,
    /// A cart of the owner's.
    Cart,
    /// A cart of whoever knows its id.
    OpenCart,
    /// An order of the owner's, with a product of the seller's, paid.
    Order,
    /// A saved card of the owner's.
    Card,
    Flag,
    Breaker,
    Job,
}

/// What to write into a path, by the name of its parameter.
pub(super) type Names = BTreeMap<&'static str, String>;

/// The stage and everybody on it.
pub(super) struct Scene {
    stack: Stack,
    http: reqwest::Client,
    keys: Keys,
    tokens: BTreeMap<Who, String>,
    owner: Uuid,
    email: String,
    category: String,
    /// On sale, with stock for all.
    sku: String,
}

const PASSWORD: &str = "violet-anvil-harbour";

impl Scene {
    pub(super) async fn set() -> Self {
        let stack = Stack::running();
        let mut scene = Self {
            keys: Keys::of(&stack).await,
            http: reqwest::Client::new(),
            tokens: BTreeMap::new(),
            owner: Uuid::nil(),
            email: String::new(),
            category: String::new(),
            sku: String::new(),
            stack,
        };
        for who in Who::ALL {
            if who == Who::Anonymous {
                continue;
            }
            let (email, id) = scene.register().await;
            let token = scene.token(who, id);
            scene.tokens.insert(who, token);
            if who == Who::Owner {
                (scene.owner, scene.email) = (id, email);
            }
        }
        let _ = scene
            .send(Who::Deleted, "DELETE", "/api/v1/auth/me", Value::Null)
            .await
            .expect(204);
        let tree = scene
            .send(Who::Anonymous, "GET", "/api/v1/categories", Value::Null)
            .await
            .expect(200);
        scene.category = text(&tree.body["items"][0]["slug"]);
        scene.sku = scene.product("active").await["sku"].clone();
        scene
    }

    /// An account, and its token as `auth` would sign it. One that expired did so a minute ago.
    fn token(&self, who: Who, id: Uuid) -> String {
        let mut claims = self.keys.claims(&id.to_string(), who.role());
        let now = claims["iat"].as_i64().unwrap();
        match who {
            Who::SteppedUp | Who::Expired | Who::Revoked => {
                claims["step_up_until"] = json!(now + 900)
            }
            _ => {}
        }
        match who {
            Who::Expired => {
                claims["exp"] = json!(now - 60);
                self.keys.sign(&claims)
            }
            // A key that was taken out of the ring is one that is not in it.
            Who::Revoked => {
                let revoked = serde_json::to_value(PrivateKey::generate().unwrap()).unwrap();
                Keys::sign_with(&revoked, &claims)
            }
            _ => self.keys.sign(&claims),
        }
    }

    /// Somebody new: address and id.
    async fn register(&self) -> (String, Uuid) {
        let email = format!("{}@matrix.example", Uuid::new_v4().simple());
        let body = json!({"email": email, "password": PASSWORD, "name": "Somebody"});
        let _ = self
            .send(Who::Anonymous, "POST", "/api/v1/auth/register", body)
            .await
            .expect(202);
        let user = self.log_in(&email).await["user"]["id"].clone();
        (email, text(&user).parse().unwrap())
    }

    async fn log_in(&self, email: &str) -> Value {
        let body = json!({"email": email, "password": PASSWORD});
        let answer = self
            .send(Who::Anonymous, "POST", "/api/v1/auth/login", body)
            .await;
        answer.expect(200).body
    }

    /// A request of a path from the origin on, as one of the people.
    pub(super) fn request(&self, who: Who, method: &Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method.clone(), self.stack.url(path));
        match self.tokens.get(&who) {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The same as somebody of the same kind who came for this only.
    pub(super) async fn newcomers_request(
        &self,
        who: Who,
        method: &Method,
        path: &str,
    ) -> RequestBuilder {
        // Those whose token is good no more have nothing to lose.
        if who.is_stranger() {
            return self.request(who, method, path);
        }
        let (_, id) = self.register().await;
        let request = self.http.request(method.clone(), self.stack.url(path));
        request.bearer_auth(self.token(who, id))
    }

    async fn send(&self, who: Who, method: &str, path: &str, body: Value) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self
            .request(who, &method, path)
            .header("idempotency-key", new_key());
        read(if body.is_null() {
            request
        } else {
            request.json(&body)
        })
        .await
    }

    /// A cart of the caller's own, if they can have one.
    pub(super) async fn own_cart(&self, who: Who) -> String {
        if who.is_stranger() {
            return ID.to_owned();
        }
        self.cart(who).await
    }

    async fn cart(&self, who: Who) -> String {
        let made = self.send(who, "POST", "/api/v1/carts", Value::Null).await;
        text(&made.expect(201).body["id"])
    }

    /// Makes a thing; what to write into a path for it.
    pub(super) async fn make(&self, thing: Thing) -> Names {
        let named = |name, value: &str| Names::from([(name, value.to_owned())]);
        match thing {
            Thing::Nothing | Thing::Caller => Names::new(),
            Thing::Account => {
                let id = self.owner.to_string();
                Names::from([("id", id.clone()), ("user_id", id)])
            }
            Thing::Session => {
                self.log_in(&self.email).await;
                let sessions = self
                    .send(Who::Owner, "GET", "/api/v1/auth/sessions", Value::Null)
                    .await;
                named("id", &text(&sessions.expect(200).body["items"][0]["id"]))
            }
            Thing::OnSale => self.product("active").await,
            Thing::Draft => self.product("draft").await,
            Thing::Category => named("slug", &self.category),
            Thing::Cart | Thing::OpenCart => {
                let who = if thing == Thing::Cart {
                    Who::Owner
                } else {
                    Who::Anonymous
                };
                let id = self.cart(who).await;
                let line = format!("/api/v1/carts/{id}/lines/{}", self.sku);
                let _ = self
                    .send(who, "PUT", &line, json!({"quantity": 1}))
                    .await
                    .expect(200);
                Names::from([("id", id), ("sku", self.sku.clone())])
            }
            Thing::Order => {
                let body = order_of(&self.sku, 1, VISA);
                let placed = self
                    .send(Who::Owner, "POST", "/api/v1/checkout", body)
                    .await;
                named("id", &text(&placed.expect(201).body["id"]))
            }
            Thing::Card => {
                let body = json!({ "token": VISA });
                let saved = self
                    .send(Who::Owner, "POST", "/api/v1/payment-methods", body)
                    .await;
                named("id", &text(&saved.expect(201).body["id"]))
            }
            Thing::Flag => named("name", "search"),
            Thing::Breaker => named("dependency", "payments"),
            Thing::Job => named("name", "outbox"),
        }
    }

    /// A product of the seller's with stock and an announced picture.
    async fn product(&self, status: &str) -> Names {
        let sku = format!("T-{}", Uuid::new_v4().simple());
        let body = json!({
            "title": format!("Matrix {sku}"), "description": "Made by a test.", "category": self.category,
            "status": status,
            "variants": [{"sku": sku, "title": "One", "options": {}, "price": {"amount": 1000, "currency": "EUR"}}],
        });
        let page = self
            .send(Who::Seller, "POST", "/api/v1/products", body)
            .await
            .expect(201);
        let product = text(&page.body["id"]);
        let below = |rest: &str| format!("/api/v1/products/{product}/{rest}");
        let stock = below(&format!("variants/{sku}/stock-adjustments"));
        let delivery = json!({"delta": 100, "reason": "delivery"});
        let _ = self
            .send(Who::Seller, "POST", &stock, delivery)
            .await
            .expect(200);
        let picture = json!({"content_type": "image/png", "byte_size": 100, "alt": "A mug"});
        let image = self
            .send(Who::Seller, "POST", &below("images"), picture)
            .await
            .expect(201);
        Names::from([
            ("image_id", text(&image.body["image_id"])),
            ("sku", sku),
            ("product", product),
        ])
    }
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
        .to_owned()
}
