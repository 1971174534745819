//! The payment provider: Stripe's HTTP API, or whatever speaks it.
//!
//! Every change carries an idempotency key made from the payment attempt or the
//! refund, so a repeat is answered with what the first one came to.

mod answers;
mod error;
mod lists;
mod webhook;

pub use answers::{Card, Outcome};
pub use error::PaymentError;
pub use lists::Made;
pub use webhook::{InvalidWebhook, WebhookEvent};

use reqwest::{Client, Method};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use self::answers::{Identified, MethodAnswer, PaymentIntent, outcome};
use super::secrets::{SecretError, Secrets};
use super::{http_client, seconds};
use crate::config::PaymentsConfig;
use crate::domain::money::Money;
use crate::resilience::{CallError, Intent, call};

/// The keys that the provider's secret holds.
#[derive(Deserialize)]
struct Keys {
    secret_key: SecretString,
    webhook_secret: SecretString,
}

impl Keys {
    fn read(text: &SecretString) -> serde_json::Result<Self> {
        serde_json::from_str(text.expose_secret())
    }
}

/// A charge to be made.
#[derive(Debug, Clone, Copy)]
pub struct Charge<'a> {
    /// The attempt's idempotency key.
    pub key: &'a str,
    /// How much.
    pub amount: Money,
    /// The provider's payment method.
    pub payment_method: &'a str,
    /// The customer that a saved method belongs to.
    pub customer: Option<&'a str>,
    /// Our order and attempt, kept with the payment at the provider.
    pub order_id: Uuid,
    /// See `order_id`.
    pub attempt_id: Uuid,
}

/// The provider.
#[derive(Clone)]
pub struct Payments {
    http: Client,
    base_url: String,
    secrets: Secrets,
    secret_id: String,
}

impl Payments {
    /// The provider at the origin that `config` names. Reaches nothing yet.
    pub fn new(config: PaymentsConfig, secrets: Secrets) -> Self {
        Self {
            http: http_client(),
            base_url: config.url,
            secrets,
            secret_id: config.secret_id,
        }
    }

    /// Charges. A repeat with the same key is answered with what the first came to.
    ///
    /// # Errors
    /// Whether it was charged is in the error.
    pub async fn charge(&self, charge: &Charge<'_>) -> Result<Outcome, PaymentError> {
        let mut form = vec![
            ("amount", charge.amount.minor().to_string()),
            (
                "currency",
                charge.amount.currency().as_str().to_ascii_lowercase(),
            ),
            ("payment_method", charge.payment_method.to_owned()),
            ("payment_method_types[]", "card".to_owned()),
            ("confirm", "true".to_owned()),
            ("expand[]", "latest_charge".to_owned()),
            ("metadata[order_id]", charge.order_id.to_string()),
            ("metadata[attempt_id]", charge.attempt_id.to_string()),
        ];
        form.extend(
            charge
                .customer
                .map(|customer| ("customer", customer.to_owned())),
        );
        let request = Request::change("/v1/payment_intents", form);
        outcome(self.send(request, Some(charge.key)).await)
    }

    /// How a payment stands.
    ///
    /// # Errors
    /// The provider did not say.
    pub async fn retrieve(&self, payment_id: &str) -> Result<Outcome, PaymentError> {
        let path = format!("/v1/payment_intents/{payment_id}");
        let form = vec![("expand[]", "latest_charge".to_owned())];
        outcome(self.send(Request::question(&path, form), None).await)
    }

    /// Makes sure that a payment can charge no more; says how it stands when it has charged.
    ///
    /// # Errors
    /// The provider did not say.
    pub async fn cancel(&self, payment_id: &str) -> Result<Outcome, PaymentError> {
        let path = format!("/v1/payment_intents/{payment_id}/cancel");
        let request = Request::change(&path, Vec::new());
        match self.send::<PaymentIntent>(request, None).await {
            // It is in no state to be cancelled: it was charged, or cancelled before.
            Err(PaymentError::Refused(refusal)) if refusal.is_unexpected_state() => {
                self.retrieve(payment_id).await
            }
            answer => outcome(answer),
        }
    }

    /// Moves money back; the provider's id of the refund.
    ///
    /// # Errors
    /// Refused: it cannot be done. Otherwise to be repeated under the same key.
    pub async fn refund(
        &self,
        refund_id: Uuid,
        payment_id: &str,
        amount: Money,
    ) -> Result<String, PaymentError> {
        let form = vec![
            ("payment_intent", payment_id.to_owned()),
            ("amount", amount.minor().to_string()),
            ("metadata[refund_id]", refund_id.to_string()),
        ];
        let request = Request::change("/v1/refunds", form);
        let refund: Identified = self
            .send(request, Some(&format!("refund-{refund_id}")))
            .await?;
        Ok(refund.id)
    }

    /// Makes a customer to keep cards for; the provider's id.
    ///
    /// # Errors
    /// As the provider says.
    pub async fn create_customer(
        &self,
        user_id: Uuid,
        email: &str,
    ) -> Result<String, PaymentError> {
        let form = vec![
            ("email", email.to_owned()),
            ("metadata[user_id]", user_id.to_string()),
        ];
        let request = Request::change("/v1/customers", form);
        let customer: Identified = self
            .send(request, Some(&format!("customer-{user_id}")))
            .await?;
        Ok(customer.id)
    }

    /// Forgets a customer with their cards and address. Payments stay. One who was
    /// forgotten before is gone all the same.
    ///
    /// # Errors
    /// As the provider says.
    pub async fn delete_customer(&self, customer: &str) -> Result<(), PaymentError> {
        let path = format!("/v1/customers/{customer}");
        let request = Request {
            method: Method::DELETE,
            ..Request::change(&path, Vec::new())
        };
        match self.send::<Identified>(request, None).await {
            Err(PaymentError::Refused(refusal)) if refusal.is_missing() => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Keeps a card for a customer.
    ///
    /// # Errors
    /// Refused: the token is none, or somebody else's.
    pub async fn attach(&self, token: &str, customer: &str) -> Result<Card, PaymentError> {
        let path = format!("/v1/payment_methods/{token}/attach");
        let form = vec![("customer", customer.to_owned())];
        let request = Request::change(&path, form);
        let method: MethodAnswer = self.send(request, None).await?;
        let card = method.card.ok_or(PaymentError::Unreadable)?;
        Ok(Card {
            id: method.id,
            brand: card.brand.unwrap_or_default(),
            last4: card.last4.unwrap_or_default(),
            exp_month: card.exp_month.unwrap_or_default(),
            exp_year: card.exp_year.unwrap_or_default(),
        })
    }

    /// Keeps a card no more.
    ///
    /// # Errors
    /// As the provider says.
    pub async fn detach(&self, provider_method_id: &str) -> Result<(), PaymentError> {
        let path = format!("/v1/payment_methods/{provider_method_id}/detach");
        let request = Request::change(&path, Vec::new());
        self.send::<Identified>(request, None).await.map(drop)
    }

    /// Reads a webhook whose signature is the provider's. While the provider changes its
    /// secret, webhooks come that were signed with the one before or the one after.
    ///
    /// # Errors
    /// The signature is wrong or old, or the keys cannot be read.
    pub async fn webhook(
        &self,
        signature: &str,
        body: &[u8],
    ) -> Result<WebhookEvent, InvalidWebhook> {
        let verify = |keys: &Keys| {
            let secret = keys.webhook_secret.expose_secret();
            webhook::verify(secret, signature, body, crate::clock::now())
        };
        let keys = self.keys().await.map_err(InvalidWebhook::KeysUnavailable)?;
        let first = verify(&keys);
        if !matches!(first, Err(InvalidWebhook::Signature)) {
            return first;
        }
        let others = self.secrets.versions(&self.secret_id).await;
        let others = others.iter().filter_map(|text| Keys::read(text).ok());
        let taken = others.map(|keys| verify(&keys));
        let mut taken = taken.filter(|result| !matches!(result, Err(InvalidWebhook::Signature)));
        taken.next().unwrap_or(first)
    }

    async fn keys(&self) -> Result<Keys, SecretError> {
        self.secrets.json(&self.secret_id).await
    }

    /// Sends a request. A key that is refused proves that nothing was done, so the request
    /// is sent again with whatever other key the secret holds just now.
    async fn send<T: DeserializeOwned>(
        &self,
        request: Request<'_>,
        key: Option<&str>,
    ) -> Result<T, PaymentError> {
        let keys = self.keys().await.map_err(PaymentError::NotSent)?;
        let refused = match self.send_with(&keys, &request, key).await {
            Err(refused @ PaymentError::KeyRefused) => refused,
            answer => return answer,
        };
        for text in self.secrets.versions(&self.secret_id).await {
            let Ok(other) = Keys::read(&text) else {
                continue;
            };
            if other.secret_key.expose_secret() == keys.secret_key.expose_secret() {
                continue;
            }
            match self.send_with(&other, &request, key).await {
                Err(PaymentError::KeyRefused | PaymentError::NotStarted) => {}
                answer => {
                    if answer.is_ok() {
                        self.secrets.keep(&self.secret_id, text);
                    }
                    return answer;
                }
            }
        }
        Err(refused)
    }

    async fn send_with<T: DeserializeOwned>(
        &self,
        keys: &Keys,
        request: &Request<'_>,
        key: Option<&str>,
    ) -> Result<T, PaymentError> {
        let answer = call(request.intent, || self.attempt(request, keys, key)).await;
        answer.map_err(|error| match error {
            CallError::Failed { source, .. } => source,
            CallError::TimedOut { .. } => PaymentError::NoAnswer,
            CallError::NotStarted { .. } => PaymentError::NotStarted,
        })
    }

    async fn attempt<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        keys: &Keys,
        key: Option<&str>,
    ) -> Result<T, PaymentError> {
        let url = format!("{}{}", self.base_url, request.path);
        let mut http = self
            .http
            .request(request.method.clone(), url)
            .bearer_auth(keys.secret_key.expose_secret());
        http = if request.method == Method::GET {
            http.query(&request.form)
        } else {
            http.form(&request.form)
        };
        if let Some(key) = key {
            http = http.header("Idempotency-Key", key);
        }
        let response = http.send().await.map_err(PaymentError::from_transport)?;
        let status = response.status();
        let retry_after = response.headers().get("retry-after");
        let retry_after = seconds(retry_after.and_then(|value| value.to_str().ok()));
        let body = response
            .bytes()
            .await
            .map_err(PaymentError::from_transport)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|_| PaymentError::Unreadable);
        }
        Err(PaymentError::from_answer(status, retry_after, &body))
    }
}

/// One request, under the policy that fits it.
struct Request<'a> {
    intent: Intent,
    method: Method,
    path: &'a str,
    form: Form,
}

impl<'a> Request<'a> {
    fn change(path: &'a str, form: Form) -> Self {
        let (intent, method) = (Intent::PaymentWrite, Method::POST);
        Self {
            intent,
            method,
            path,
            form,
        }
    }

    fn question(path: &'a str, form: Form) -> Self {
        let (intent, method) = (Intent::PaymentRead, Method::GET);
        Self {
            intent,
            method,
            path,
            form,
        }
    }
}

type Form = Vec<(&'static str, String)>;
