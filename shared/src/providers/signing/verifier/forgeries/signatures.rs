//! Signatures that are not looked at, or not closely.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::{Forge, Forgery, changed, message, named};

impl Forge {
    pub(super) fn unverified(&self) -> Vec<Forgery> {
        let good = self.good();
        let (message_, signature) = good.rsplit_once('.').unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let others = changed(
            &self.claims,
            &json!({"sub": "01890000-0000-7000-8000-000000000000"}),
        );
        let others = message(&self.header().to_string(), &others.to_string());
        let stranger = Ed25519KeyPair::generate().unwrap();
        let with = |bytes: &[u8]| format!("{message_}.{}", URL_SAFE_NO_PAD.encode(bytes));
        named([
            (
                "claims changed after signing",
                format!("{others}.{signature}"),
            ),
            ("no signature", format!("{message_}.")),
            ("no part for a signature", message_.to_owned()),
            ("a signature of zeros", with(&[0; 64])),
            ("a signature of ones", with(&[255; 64])),
            ("a signature cut short", with(&bytes[..63])),
            (
                "a signature with trailing data",
                with(&[&bytes[..], &[0]].concat()),
            ),
            (
                "a signature plus the order of the curve",
                with(&plus_order(&bytes)),
            ),
            (
                "a signature in other letters",
                format!("{message_}.{}", respelt(signature)),
            ),
            ("a stranger's signature under our key's id", {
                self.signed_by(&self.header(), |message| {
                    stranger.sign(message).as_ref().to_vec()
                })
            }),
        ])
    }

    pub(super) fn unsigned(&self) -> Vec<Forgery> {
        let spellings = ["none", "None", "NONE", "nOnE", "none ", "", "null"];
        let algorithms = spellings.map(|name| json!(name)).into_iter();
        let algorithms =
            algorithms.chain([json!(null), json!(0), json!([]), json!(["EdDSA", "none"])]);
        let tokens = algorithms.flat_map(|algorithm| {
            let header = self.header_with(&json!({ "alg": algorithm }));
            [
                (
                    format!("alg {algorithm}, no signature"),
                    self.signed_by(&header, |_| Vec::new()),
                ),
                (
                    format!("alg {algorithm}, our signature"),
                    self.signed(&header, &self.claims),
                ),
            ]
        });
        tokens.collect()
    }
}

/// The same signature with another number in its second half, which means the same on the curve.
fn plus_order(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut sum = signature.to_vec();
    let mut carry = 0;
    for (byte, order) in sum[32..].iter_mut().zip(ORDER) {
        let digit = u16::from(*byte) + u16::from(order) + carry;
        [*byte, _] = digit.to_le_bytes();
        carry = digit >> 8;
    }
    sum
}

/// The same bytes, if whoever decodes them does not look at the bits that are left over: 64 bytes
/// leave four.
fn respelt(signature: &str) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = signature.split_at(signature.len() - 1);
    let next = LETTERS.find(last).unwrap() + 1;
    format!("{rest}{}", &LETTERS[next..=next])
}
