//! Tokens that nobody may take. `verifier/tests.rs` tries them on the verifier,
//! `tests/it/security/tokens.rs`, which includes this file, on the deployed functions.
//!
//! After RFC 8725 (best practices for JWTs), RFC 7515, 7518 and 7519, and the classes of attacks of
//! PortSwigger's JWT labs: an unverified signature, `none`, a weak secret, keys that come in `jwk`,
//! at `jku` or by `kid`, and the public key taken for a secret, be it published or found out.

mod contents;
mod keys;
mod signatures;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// What a forgery is made of.
pub(crate) struct Forge {
    kid: String,
    public: Vec<u8>,
    pair: Ed25519KeyPair,
    claims: Value,
}

/// A token and what is wrong with it.
pub(crate) type Forgery = (String, String);

impl Forge {
    /// With the key that signs, as the private secret has it, and claims that are good.
    pub(crate) fn new(key: &Value, claims: Value) -> Self {
        let text = |name: &str| key[name].as_str().unwrap();
        let private = STANDARD.decode(text("private")).unwrap();
        Self {
            kid: text("kid").to_owned(),
            public: URL_SAFE_NO_PAD.decode(text("public")).unwrap(),
            pair: Ed25519KeyPair::from_pkcs8_maybe_unchecked(&private).unwrap(),
            claims,
        }
    }

    /// The one good token.
    pub(crate) fn good(&self) -> String {
        self.signed(&self.header(), &self.claims)
    }

    /// With other claims, and nothing wrong with the rest.
    pub(crate) fn with_claims(&self, changes: &Value) -> String {
        self.signed(&self.header(), &changed(&self.claims, changes))
    }

    /// Every forgery.
    pub(crate) fn forgeries(&self) -> Vec<Forgery> {
        [
            self.unverified(),
            self.unsigned(),
            self.with_secrets(),
            self.with_keys_of_their_own(),
            self.with_other_key_ids(),
            self.with_other_headers(),
            self.with_other_claims(),
            self.misshapen(),
            self.unclean(),
        ]
        .concat()
    }

    fn header(&self) -> Value {
        json!({"typ": "JWT", "alg": "EdDSA", "kid": self.kid})
    }

    /// The header with other members; null takes one away.
    fn header_with(&self, changes: &Value) -> Value {
        changed(&self.header(), changes)
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        self.signed_texts(&header.to_string(), &claims.to_string())
    }

    fn signed_texts(&self, header: &str, claims: &str) -> String {
        with_signature(&message(header, claims), |message| {
            self.pair.sign(message).as_ref().to_vec()
        })
    }

    /// With the same claims, this header, and a signature that somebody else makes.
    fn signed_by(&self, header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        with_signature(
            &message(&header.to_string(), &self.claims.to_string()),
            sign,
        )
    }
}

fn named<const COUNT: usize>(forgeries: [(&str, String); COUNT]) -> Vec<Forgery> {
    forgeries
        .map(|(name, token)| (name.to_owned(), token))
        .into()
}

/// An object with other members; null takes one away.
fn changed(object: &Value, changes: &Value) -> Value {
    let mut members = object.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    Value::Object(members)
}

fn message(header: &str, claims: &str) -> String {
    format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    )
}

fn with_signature(message: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(sign(message.as_bytes()))
    )
}
