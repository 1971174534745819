//! A small client of the HTTP API, for whole flows.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Somebody who calls the API, signed in or not.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    api_url: String,
    token: Option<String>,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: reqwest::header::HeaderMap,
    /// The body's bytes.
    pub bytes: Vec<u8>,
    /// The body as JSON; null when it is none.
    pub body: Value,
}

impl Answer {
    /// The answer, if it has this status.
    ///
    /// # Panics
    /// With the whole body when it has another.
    #[track_caller]
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}",
            String::from_utf8_lossy(&self.bytes)
        );
        self
    }

    /// The last part of the problem's type.
    pub fn problem(&self) -> &str {
        self.body["type"]
            .as_str()
            .unwrap_or_default()
            .trim_start_matches("/problems/")
    }

    /// A header's text; empty when it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

impl Client {
    /// Somebody who is not signed in.
    pub fn anonymous(api_url: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            api_url: format!("{api_url}/api/v1"),
            token: None,
        }
    }

    /// Signs in.
    ///
    /// # Panics
    /// When the sign-in fails.
    pub async fn signed_in(api_url: &str, email: &str, password: &str) -> Self {
        let client = Self::anonymous(api_url);
        let answer = client
            .post("/auth/login", json!({"email": email, "password": password}))
            .await
            .expect(200);
        Self {
            token: answer.body["access_token"].as_str().map(ToOwned::to_owned),
            ..client
        }
    }

    /// The same person at another address.
    #[must_use]
    pub fn at(&self, api_url: &str) -> Self {
        Self {
            api_url: format!("{api_url}/api/v1"),
            ..self.clone()
        }
    }

    /// The same with another access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The access token; empty when nobody is signed in.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// A request to be added to.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.api_url));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> Answer {
        read(self.request(Method::GET, path)).await
    }

    /// `POST`.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        read(self.request(Method::POST, path).json(&body)).await
    }

    /// `POST` with an `Idempotency-Key`.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        read(
            self.request(Method::POST, path)
                .header("Idempotency-Key", key)
                .json(body),
        )
        .await
    }

    /// `DELETE`.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn delete(&self, path: &str) -> Answer {
        read(self.request(Method::DELETE, path)).await
    }

    /// `PUT`.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        read(self.request(Method::PUT, path).json(&body)).await
    }
}

/// Sends a request and reads its answer whole.
///
/// # Panics
/// When there is no answer.
pub async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the API does not answer");
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response
        .bytes()
        .await
        .expect("the answer breaks off")
        .to_vec();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer {
        status,
        headers,
        bytes,
        body,
    }
}
