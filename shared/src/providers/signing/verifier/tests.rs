//! Every forgery is refused, and the good token taken.

use serde_json::{Value, json};
use uuid::Uuid;

use super::forgeries::Forge;
use super::*;
use crate::providers::signing::PrivateKey;

const ISSUER: &str = "https://shop.example";

const AUDIENCE: &str = "shop";

fn claims() -> Value {
    let now = clock::now().unix_timestamp();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": Uuid::now_v7(), "role": "customer",
        "wallet_id": Uuid::now_v7(), "email_verified": true,
        "iat": now, "nbf": now, "exp": now + 900, "jti": Uuid::now_v7(),
    })
}

fn published(key: &PrivateKey) -> PublicKey {
    PublicKey {
        kid: key.kid.clone(),
        public: key.public.clone(),
        retired_at: None,
    }
}

fn ring(keys: &[PublicKey]) -> Known {
    let keys = keys.to_vec();
    Known::of(PublicRing { keys }).unwrap()
}

fn forge(key: &PrivateKey, claims: Value) -> Forge {
    Forge::new(&serde_json::to_value(key).unwrap(), claims)
}

/// What a verifier that knows these keys makes of a token.
fn judge(known: &Known, token: &str) -> Result<Claims, TokenError> {
    known.claims(token, &named_key(token)?, &validation(ISSUER, AUDIENCE))
}

#[test]
fn good_token_is_taken_for_what_it_says() {
    let key = PrivateKey::generate().unwrap();
    let claims = claims();
    let taken = judge(
        &ring(&[published(&key)]),
        &forge(&key, claims.clone()).good(),
    )
    .unwrap();
    assert_eq!(serde_json::to_value(taken).unwrap(), claims);
}

#[test]
fn no_forgery_is_taken() {
    let (key, other) = (
        PrivateKey::generate().unwrap(),
        PrivateKey::generate().unwrap(),
    );
    let known = ring(&[published(&key), published(&other)]);
    let forgeries = forge(&key, claims()).forgeries();
    let taken: Vec<&String> = forgeries
        .iter()
        .filter(|(_, token)| judge(&known, token).is_ok())
        .map(|(name, _)| name)
        .collect();
    assert!(taken.is_empty(), "{taken:#?}");
    assert!(forgeries.len() > 100, "only {} forgeries", forgeries.len());
}

#[test]
fn huge_forgery_is_refused_like_a_small_one() {
    let key = PrivateKey::generate().unwrap();
    let (known, good) = (ring(&[published(&key)]), forge(&key, claims()).good());
    for token in [
        "A".repeat(1_000_000),
        ".".repeat(1_000_000),
        format!("{good}{}", "A".repeat(1_000_000)),
        format!("{}{good}", "A".repeat(1_000_000)),
    ] {
        assert!(judge(&known, &token).is_err());
    }
}

#[test]
fn token_of_a_key_that_was_taken_out_or_retired_long_ago_is_refused() {
    let (revoked, retired) = (
        PrivateKey::generate().unwrap(),
        PrivateKey::generate().unwrap(),
    );
    let long_ago = PublicKey {
        retired_at: Some(clock::now() - time::Duration::hours(1)),
        ..published(&retired)
    };
    let known = ring(&[published(&PrivateKey::generate().unwrap()), long_ago]);
    for key in [revoked, retired] {
        assert!(judge(&known, &forge(&key, claims()).good()).is_err());
    }
}

#[test]
fn forgery_of_another_shop_is_refused() {
    let key = PrivateKey::generate().unwrap();
    let (known, good) = (ring(&[published(&key)]), forge(&key, claims()).good());
    for (issuer, audience) in [("https://other.example", AUDIENCE), (ISSUER, "other")] {
        let kid = named_key(&good).unwrap();
        let judged = known.claims(&good, &kid, &validation(issuer, audience));
        assert!(judged.is_err(), "{issuer}, {audience}");
    }
}
