//! Who sends requests, and which.

use crate::steps::accounts::{self, Account};
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use local::{Port, Stack};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use uuid::Uuid;

/// More than any route takes, its cold start included.
const TIMEOUT: Duration = Duration::from_secs(35);

/// A route of a function, which does there what most requests do.
pub(super) struct Route {
    pub(super) function: &'static str,
    path: &'static str,
    status: u16,
    /// Only somebody who signed in may.
    signed_in: bool,
    /// What is posted; without it the route is read.
    body: Option<fn() -> Value>,
}

/// One for each function that the warmer keeps warm.
pub(super) const ROUTES: &[Route] = &[
    Route {
        function: "auth",
        path: "/api/v1/auth/login",
        status: 401,
        signed_in: false,
        body: Some(stranger),
    },
    Route {
        function: "products",
        path: "/api/v1/products",
        status: 200,
        signed_in: false,
        body: None,
    },
    Route {
        function: "checkout",
        path: "/api/v1/orders",
        status: 200,
        signed_in: true,
        body: None,
    },
    Route {
        function: "ops",
        path: "/api/v1/health",
        status: 200,
        signed_in: false,
        body: None,
    },
];

/// Nobody twice, because failures are counted by account. It is looked for and hashed like a
/// password that fits.
fn stranger() -> Value {
    let email = format!("{}@example.com", Uuid::new_v4());
    json!({"email": email, "password": "tr0mbone&Kelp"})
}

impl Route {
    /// As people write it.
    pub(super) fn name(&self) -> String {
        let method = self.body.map_or("GET", |_| "POST");
        format!("{method} {}", self.path)
    }
}

/// One request that was answered.
pub(super) struct Visit {
    /// By which its log line is found.
    pub(super) request_id: String,
    /// Until the whole answer was there.
    pub(super) took: Duration,
}

/// Those who send requests.
pub(super) struct Customers {
    client: Client,
    api_url: String,
    account: Account,
    token: String,
}

impl Customers {
    /// Customers of a stack.
    ///
    /// # Errors
    /// It was never brought up.
    pub(super) fn of(stack: &Stack) -> Result<Self> {
        let accounts = accounts::made(stack)?;
        Ok(Self {
            client: Client::builder().timeout(TIMEOUT).no_proxy().build()?,
            api_url: stack.url(Port::Front),
            account: accounts.customer,
            token: String::new(),
        })
    }

    /// Signs in. The token is good for longer than a round takes.
    ///
    /// # Errors
    /// The shop refuses.
    pub(super) async fn sign_in(&mut self) -> Result<()> {
        #[derive(Deserialize)]
        struct SignedIn {
            access_token: String,
        }
        let body = json!({"email": self.account.email, "password": self.account.password});
        let url = format!("{}/api/v1/auth/login", self.api_url);
        let answer = self.client.post(url).json(&body).send().await?;
        let answer = answer.error_for_status();
        let answer = answer.context("The sample customer cannot sign in.")?;
        self.token = answer.json::<SignedIn>().await?.access_token;
        Ok(())
    }

    /// Sends so many requests at once to a route, and waits for all answers.
    ///
    /// # Errors
    /// An answer is not what it should be.
    pub(super) async fn burst(&self, route: &Route, at_once: usize) -> Result<Vec<Visit>> {
        try_join_all((0..at_once).map(|_| self.visit(route))).await
    }

    async fn visit(&self, route: &Route) -> Result<Visit> {
        let request_id = format!("bench-{}", Uuid::new_v4());
        let request = self.request(route).header("x-request-id", &request_id);
        let begin = Instant::now();
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await?;
        let took = begin.elapsed();
        ensure!(
            status == route.status,
            "{} answered {status} instead of {}: {}",
            route.name(),
            route.status,
            String::from_utf8_lossy(&body)
        );
        Ok(Visit { request_id, took })
    }

    fn request(&self, route: &Route) -> RequestBuilder {
        let url = format!("{}{}", self.api_url, route.path);
        let request = match route.body {
            Some(body) => self.client.post(url).json(&body()),
            None => self.client.get(url),
        };
        match route.signed_in {
            true => request.bearer_auth(&self.token),
            false => request,
        }
    }
}
