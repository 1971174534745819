//! Calls to the API, tried again while it says that it is away.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use local::{Port, Stack};
use reqwest::{Client, Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use crate::steps::accounts::{self, Account};

/// Attempts of one request.
const ATTEMPTS: u32 = 6;
const TIMEOUT: Duration = Duration::from_secs(30);
/// A `Retry-After` beyond this is not waited for in full.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Until there is a new code.
const STEP_UP_ROUNDS: u32 = 8;

/// The API as one caller sees it.
#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
    base: String,
    token: Option<String>,
}

/// An answer of the API.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Api {
    /// The API at an origin, for an anonymous caller.
    pub(crate) fn new(origin: &str) -> Result<Self> {
        let http = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let base = format!("{}/api/v1", origin.trim_end_matches('/'));
        Ok(Self {
            http,
            base,
            token: None,
        })
    }

    /// The stack's API for its admin, and who that is.
    pub(crate) async fn of_admin(stack: &Stack) -> Result<(Self, Account)> {
        let admin = accounts::made(stack)?.admin;
        let api = Self::new(&stack.url(Port::Front))?;
        Ok((api.sign_in(&admin).await?, admin))
    }

    /// The same API for somebody who has signed in.
    pub(crate) async fn sign_in(&self, account: &Account) -> Result<Self> {
        let step = format!("signing in as {}", account.email);
        let body = json!({"email": account.email, "password": account.password});
        let answer = self
            .post("/auth/login", &body)
            .await
            .context(step.clone())?
            .body(&step)?;
        let token = answer["access_token"]
            .as_str()
            .context(step + ": no token in the answer")?;
        Ok(Self {
            token: Some(token.to_owned()),
            ..self.clone()
        })
    }

    /// The same caller after showing the second factor.
    pub(crate) async fn step_up(&self, account: &Account) -> Result<Self> {
        let step = format!("showing the second factor of {}", account.email);
        for _ in 0..STEP_UP_ROUNDS {
            for code in account.codes()? {
                let body = json!({"code": code});
                let answer = self.post("/auth/step-up", &body).await;
                let answer = answer.context(step.clone())?;
                // A code is good once, and somebody else may have had this one.
                if answer.status == StatusCode::UNAUTHORIZED {
                    continue;
                }
                let body = answer.body(&step)?;
                return Ok(Self {
                    token: body["access_token"].as_str().map(ToOwned::to_owned),
                    ..self.clone()
                });
            }
            tokio::time::sleep(PAUSE_MAX).await;
        }
        bail!("{step}: no code was taken. `cargo holdfast up` sets the second factor again.")
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        send(|| self.request(Method::GET, path)).await
    }

    /// Writes.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        send(|| self.request(Method::POST, path).json(body)).await
    }

    /// Replaces.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        send(|| self.request(Method::PUT, path).json(body)).await
    }

    /// Writes once per key.
    pub(crate) async fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<Answer> {
        send(|| {
            self.request(Method::POST, path)
                .header("idempotency-key", key)
                .json(body)
        })
        .await
    }

    /// A request to somewhere else, which is not told who we are.
    pub(crate) async fn elsewhere(
        &self,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Answer> {
        send(|| request(&self.http)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

impl Answer {
    /// The body of a success.
    ///
    /// # Errors
    /// Any other answer, with the step and what the API says about it.
    pub(crate) fn body(self, step: &str) -> Result<Value> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let detail = self.body["detail"].as_str().or(self.body["title"].as_str());
        let faults = self
            .body
            .get("errors")
            .map(Value::to_string)
            .unwrap_or_default();
        bail!(
            "{step}: {} {} {faults}",
            self.status,
            detail.unwrap_or("without a reason")
        )
    }
}

async fn send(request: impl Fn() -> RequestBuilder) -> Result<Answer> {
    let mut attempt = 1;
    loop {
        let last = attempt == ATTEMPTS;
        let pause = match request().send().await {
            Ok(response) if last || !is_away(response.status()) => {
                let status = response.status();
                let bytes = response.bytes().await?;
                let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                return Ok(Answer { status, body });
            }
            Ok(response) => retry_after(&response),
            Err(error) if last => return Err(error.into()),
            // What it did may have had its effect: every caller takes a conflict for that.
            Err(_) => None,
        };
        let pause = pause.unwrap_or(Duration::from_millis(100 << attempt));
        tokio::time::sleep(pause.min(PAUSE_MAX)).await;
        attempt += 1;
    }
}

fn is_away(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}
