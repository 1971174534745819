//! Access tokens that nobody may take, at a route of every HTTP function. The table of them is
//! `forgeries` beside the verifier, whose own tests try them without a stack.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::StreamExt;
use local::stack::STAGE;
use serde_json::{Value, json};
use tests::client::read;
use tests::{Stack, TestSecrets};
use time::OffsetDateTime;
use uuid::Uuid;

#[path = "../../../shared/src/providers/signing/verifier/forgeries/mod.rs"]
mod forgeries;

use forgeries::Forge;

/// How many forgeries are tried at once.
const AT_ONCE: usize = 8;

/// A route of each function that lets an admin in, whoever that is.
const ROUTES: [(&str, &str); 4] = [
    ("auth", "/api/v1/auth/sessions"),
    (
        "products",
        "/api/v1/products/01890a5d-ac96-774b-bcce-b302099a8057",
    ),
    ("checkout", "/api/v1/orders?limit=1"),
    ("ops", "/api/v1/admin/flags"),
];

/// The stack's signing key, for tokens that `auth` would sign.
pub(crate) struct Keys {
    key: Value,
    issuer: String,
    audience: String,
}

impl Keys {
    pub(crate) async fn of(stack: &Stack) -> Self {
        let ring = TestSecrets::open()
            .await
            .value(&format!("holdfast/{STAGE}/jwt-private"))
            .await;
        let mut environment = stack.environment("auth").await;
        let mut told = |name: &str| environment.remove(name).unwrap();
        Self {
            key: ring["current"].clone(),
            issuer: told("TOKEN_ISSUER"),
            audience: told("TOKEN_AUDIENCE"),
        }
    }

    /// Those of a token that is issued now.
    pub(crate) fn claims(&self, subject: &str, role: &str) -> Value {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        json!({
            "iss": self.issuer, "aud": self.audience, "sub": subject, "role": role,
            "wallet_id": Uuid::nil(), "email_verified": true,
            "iat": now, "nbf": now, "exp": now + 900, "jti": Uuid::now_v7(),
        })
    }

    /// A token with any claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        Self::sign_with(&self.key, claims)
    }

    /// The same with any key.
    pub(crate) fn sign_with(key: &Value, claims: &Value) -> String {
        Forge::new(key, claims.clone()).good()
    }

    fn forge(&self) -> Forge {
        Forge::new(&self.key, self.claims(&Uuid::now_v7().to_string(), "admin"))
    }
}

async fn status(stack: &Stack, path: &str, authorization: &[u8]) -> u16 {
    let request = reqwest::Client::new()
        .get(stack.url(path))
        .header("authorization", authorization);
    read(request).await.status.as_u16()
}

#[tokio::test]
async fn no_function_takes_a_forged_token() {
    let stack = Stack::running();
    let forge = Keys::of(&stack).await.forge();
    let good = format!("Bearer {}", forge.good());
    for (function, path) in ROUTES {
        let seen = status(&stack, path, good.as_bytes()).await;
        assert!(
            [200, 404].contains(&seen),
            "{function} does not take the good token: {seen}"
        );
    }
    let forgeries = forge.forgeries();
    assert!(forgeries.len() > 100, "only {} forgeries", forgeries.len());
    let tried = futures::stream::iter(&forgeries).map(async |(name, token)| {
        let authorization = format!("Bearer {token}");
        let mut taken = Vec::new();
        for (function, path) in ROUTES {
            let seen = status(&stack, path, authorization.as_bytes()).await;
            if seen != 401 {
                taken.push(format!("{function} answers {seen} to: {name}"));
            }
        }
        taken
    });
    let taken: Vec<String> = tried.buffer_unordered(AT_ONCE).concat().await;
    assert!(taken.is_empty(), "\n{}", taken.join("\n"));
}

#[tokio::test]
async fn other_ways_to_send_a_token_are_none() {
    let stack = Stack::running();
    let good = Keys::of(&stack).await.forge().good();
    let basic = format!("Basic {}", URL_SAFE_NO_PAD.encode(format!("admin:{good}")));
    let ways = [
        "",
        "Bearer",
        "Bearer ",
        &good,
        &basic,
        &format!("Token {good}"),
        &format!("Bearer Bearer {good}"),
        &format!("Bearer {good} {good}"),
        &format!("Bearer {good}, Bearer {good}"),
        &format!("Bearer \"{good}\""),
        &format!("DPoP {good}"),
    ];
    for (function, path) in ROUTES {
        for way in ways {
            let seen = status(&stack, path, way.as_bytes()).await;
            assert_eq!(seen, 401, "{function}: {way:?}");
        }
        let bytes = [b"Bearer \xff\xfe".as_slice(), good.as_bytes()].concat();
        assert_eq!(
            status(&stack, path, &bytes).await,
            401,
            "{function}: no text"
        );
    }
}

#[tokio::test]
async fn token_in_the_query_a_cookie_or_the_body_is_none() {
    let stack = Stack::running();
    let good = Keys::of(&stack).await.forge().good();
    let get = |path: &str| reqwest::Client::new().get(stack.url(path));
    for request in [
        get(&format!("/api/v1/orders?access_token={good}")),
        get("/api/v1/orders").header(
            "cookie",
            format!("access_token={good}; authorization=Bearer {good}"),
        ),
        get("/api/v1/orders").header("x-authorization", format!("Bearer {good}")),
        get("/api/v1/orders").header("x-amz-security-token", &good),
        get("/api/v1/orders").body(format!("access_token={good}")),
    ] {
        let answer = read(request).await;
        assert!(
            [401, 422].contains(&answer.status.as_u16()),
            "{}",
            answer.status
        );
    }
}
