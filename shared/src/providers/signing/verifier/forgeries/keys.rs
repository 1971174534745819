//! Keys that are not ours, or not meant for this.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{Forge, Forgery, changed};

impl Forge {
    /// Weak secrets, and our public key in every form in which somebody may have it.
    pub(super) fn with_secrets(&self) -> Vec<Forgery> {
        const PREFIX: [u8; 12] = [48, 42, 48, 5, 6, 3, 43, 101, 112, 3, 33, 0];
        let der = [&PREFIX[..], &self.public].concat();
        let text = URL_SAFE_NO_PAD.encode(&self.public);
        let pem = |end: &str| {
            let inside = STANDARD.encode(&der);
            format!("-----BEGIN PUBLIC KEY-----\n{inside}\n-----END PUBLIC KEY-----{end}")
                .into_bytes()
        };
        let jwk = json!({"crv": "Ed25519", "kty": "OKP", "x": text}).to_string();
        let secrets = [
            ("nothing", Vec::new()),
            ("a zero", vec![0]),
            ("secret", b"secret".to_vec()),
            ("secret1", b"secret1".to_vec()),
            ("the key's id", self.kid.clone().into_bytes()),
            ("the public key", self.public.clone()),
            ("the public key as text", text.into_bytes()),
            ("the public key in DER", der.clone()),
            ("the public key in PEM", pem("")),
            ("the public key in PEM with a line end", pem("\n")),
            ("the public key as JWK", jwk.into_bytes()),
        ];
        let algorithms = [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
        ];
        let tokens = algorithms.into_iter().flat_map(|(name, algorithm)| {
            let header = self.header_with(&json!({ "alg": name }));
            secrets.iter().map(move |(what, secret)| {
                let key = hmac::Key::new(algorithm, secret);
                let token = self.signed_by(&header, |message| {
                    hmac::sign(&key, message).as_ref().to_vec()
                });
                (format!("{name} with {what}"), token)
            })
        });
        tokens.collect()
    }

    /// Keys that come with the token, by value or by address, and other curves.
    pub(super) fn with_keys_of_their_own(&self) -> Vec<Forgery> {
        let stranger = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(stranger.public_key().as_ref());
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "theirs", "use": "sig", "alg": "EdDSA"});
        let at = "https://evil.example/jwks.json";
        let sign = |message: &[u8]| stranger.sign(message).as_ref().to_vec();
        let headers = [
            ("jwk", json!({"jwk": jwk, "kid": "theirs"})),
            ("jwk under our key's id", json!({ "jwk": jwk })),
            ("jwk without an id", json!({"jwk": jwk, "kid": null})),
            ("jku", json!({"jku": at, "kid": "theirs"})),
            ("jku under our key's id", json!({ "jku": at })),
            ("x5u", json!({"x5u": at, "kid": "theirs"})),
            (
                "x5c",
                json!({"x5c": [STANDARD.encode(stranger.public_key().as_ref())]}),
            ),
        ];
        let tokens = headers.into_iter().map(|(what, header)| {
            (
                format!("a key of theirs: {what}"),
                self.signed_by(&self.header_with(&header), sign),
            )
        });
        let curves = [
            ("ES256", &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
            ("ES384", &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
            ("ES256K", &signature::ECDSA_P256K1_SHA256_FIXED_SIGNING),
        ];
        let others = curves.map(|(name, algorithm)| {
            let pair = EcdsaKeyPair::generate(algorithm).unwrap();
            let sign = |message: &[u8]| {
                pair.sign(&SystemRandom::new(), message)
                    .unwrap()
                    .as_ref()
                    .to_vec()
            };
            (
                format!("curve of {name}"),
                self.signed_by(&self.header_with(&json!({ "alg": name })), sign),
            )
        });
        tokens.chain(others).collect()
    }

    /// Ids that are a path, a query or no text at all.
    pub(super) fn with_other_key_ids(&self) -> Vec<Forgery> {
        let ids = [
            json!(null),
            json!(""),
            json!("../../../../../../dev/null"),
            json!("/dev/null"),
            json!("' or 1=1 --"),
            json!("x' union select 'secret"),
            json!("$(id)"),
            json!("holdfast/local/jwt-private"),
            json!(format!("{}\0", self.kid)),
            json!(format!(" {}", self.kid)),
            json!(self.kid.to_ascii_uppercase()),
            json!("k".repeat(2_000)),
            json!([self.kid]),
            json!({"$ne": ""}),
            json!(0),
        ];
        let empty = hmac::Key::new(hmac::HMAC_SHA256, b"");
        let tokens = ids.into_iter().flat_map(|id| {
            let header = self.header_with(&json!({ "kid": id }));
            let with_secret = changed(&header, &json!({"alg": "HS256"}));
            let name: String = id.to_string().chars().take(40).collect();
            let sign = |message: &[u8]| hmac::sign(&empty, message).as_ref().to_vec();
            [
                (
                    format!("kid {name}, our signature"),
                    self.signed(&header, &self.claims),
                ),
                (
                    format!("kid {name}, an empty secret"),
                    self.signed_by(&with_secret, sign),
                ),
            ]
        });
        tokens.collect()
    }
}
