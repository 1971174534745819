//! What flows need of a shop: people and things to buy, made through the API.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Answer, Client};
use crate::{Account, Stack, step_up};

/// A shop with its people signed in.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Where it runs.
    pub api_url: String,
    /// Runs it, and has shown a second factor.
    pub admin: Client,
    /// Sells.
    pub seller: Client,
    /// Buys.
    pub customer: Client,
}

impl Shop {
    /// The running stack's shop.
    ///
    /// # Panics
    /// When nobody can sign in.
    pub async fn open() -> Self {
        let stack = Stack::running();
        let sign_in = async |account: &Account| {
            Client::signed_in(&stack.api_url, &account.email, &account.password).await
        };
        Self {
            admin: step_up::admin(&stack).await,
            seller: sign_in(&stack.accounts.seller).await,
            customer: sign_in(&stack.accounts.customer).await,
            api_url: stack.api_url.clone(),
        }
    }

    /// Somebody new, with an empty wallet.
    ///
    /// # Panics
    /// When they cannot register.
    pub async fn newcomer(&self) -> Client {
        self.newcomer_with_credentials().await.0
    }

    /// The same, and the body that they sign in with.
    ///
    /// # Panics
    /// When they cannot register.
    pub async fn newcomer_with_credentials(&self) -> (Client, Value) {
        let email = format!("{}@buyers.example", Uuid::new_v4().simple());
        let password = Uuid::new_v4().to_string();
        let body = json!({"email": email, "password": password, "name": "New Comer"});
        let _ = Client::anonymous(&self.api_url)
            .post("/auth/register", body)
            .await
            .expect(202);
        let client = Client::signed_in(&self.api_url, &email, &password).await;
        (client, json!({"email": email, "password": password}))
    }

    /// Puts a new product with one variant on sale; its SKU.
    ///
    /// # Panics
    /// When the seller cannot.
    pub async fn product(&self, price_minor: i64, stock: i64) -> String {
        let sku = format!("T-{}", Uuid::new_v4().simple());
        let category =
            self.seller.get("/categories").await.expect(200).body["items"][0]["slug"].clone();
        let body = json!({
            "title": format!("Test product {sku}"), "description": "Made by a test.", "category": category,
            "status": "active",
            "variants": [{"sku": sku, "title": "One", "options": {}, "price": eur(price_minor)}],
        });
        let page = self.seller.post("/products", body).await.expect(201);
        self.adjust_stock(page.body["id"].as_str().unwrap_or_default(), &sku, stock)
            .await;
        sku
    }

    /// Orders one unit, paid with a card that works; the answer.
    ///
    /// # Panics
    /// When it is not placed.
    pub async fn buy_one(&self, sku: &str) -> Answer {
        let (key, body) = (new_key(), order_of(sku, 1, VISA));
        let placed = self.customer.post_once("/checkout", &key, &body);
        placed.await.expect(201)
    }

    async fn adjust_stock(&self, product: &str, sku: &str, delta: i64) {
        let path = format!("/products/{product}/variants/{sku}/stock-adjustments");
        let body = json!({"delta": delta, "reason": "delivery"});
        let _ = self
            .seller
            .post_once(&path, &Uuid::new_v4().to_string(), &body)
            .await
            .expect(200);
    }
}

/// A card that works.
pub const VISA: &str = "pm_card_visa";

/// An amount of the shop's currency.
pub fn eur(amount_minor: i64) -> Value {
    json!({"amount": amount_minor, "currency": "EUR"})
}

/// A body for `POST /checkout`: some of one SKU, paid with `token` or, when it is `wallet`, from the wallet.
pub fn order_of(sku: &str, quantity: i64, token: &str) -> Value {
    let payment = if token == "wallet" {
        json!({"method": "wallet"})
    } else {
        json!({"method": "card", "token": token})
    };
    json!({
        "lines": [{"sku": sku, "quantity": quantity}], "payment": payment,
        "shipping_address": {
            "name": "Ada Lovelace", "line1": "Street 1", "city": "Berlin", "postal_code": "10115", "country": "DE",
        },
    })
}

/// A new `Idempotency-Key`.
pub fn new_key() -> String {
    Uuid::new_v4().to_string()
}

/// Asks again and again until there is an answer, for at most half a minute.
///
/// # Panics
/// There was none in time.
pub async fn eventually<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    const PAUSE: std::time::Duration = std::time::Duration::from_millis(200);
    for _ in 0..150 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("in vain: {what}");
}
