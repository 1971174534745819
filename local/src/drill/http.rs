//! Requests whose failure is an answer too.

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use std::time::Duration;

/// Longer than any promise of the shop, so that what is too slow shows as slow.
const TIMEOUT: Duration = Duration::from_secs(35);

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    /// 0 when nothing did.
    pub(super) status: u16,
    pub(super) degraded: String,
    /// Null when it is no JSON.
    pub(super) body: Value,
}

#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client,
    base: String,
}

impl Http {
    pub(super) fn new(api_url: &str) -> anyhow::Result<Self> {
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        Ok(Self {
            client,
            base: format!("{api_url}/api/v1"),
        })
    }

    pub(super) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        if token.is_empty() {
            request
        } else {
            request.bearer_auth(token)
        }
    }
}

pub(super) async fn send(request: RequestBuilder) -> Reply {
    let Ok(response) = request.send().await else {
        return Reply {
            status: 0,
            degraded: String::new(),
            body: Value::Null,
        };
    };
    let status = response.status().as_u16();
    let degraded = response.headers().get("x-degraded");
    let degraded = degraded
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    match response.bytes().await {
        Ok(bytes) => Reply {
            status,
            degraded,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        },
        // An answer that broke off is none.
        Err(_) => Reply {
            status: 0,
            degraded,
            body: Value::Null,
        },
    }
}
