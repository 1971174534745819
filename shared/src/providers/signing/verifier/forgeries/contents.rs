//! What is signed by our own key, and yet no access token of ours.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::json;

use super::{Forge, Forgery, named};

impl Forge {
    pub(super) fn with_other_headers(&self) -> Vec<Forgery> {
        let headers = [
            json!({"typ": null}),
            json!({"typ": "JWE"}),
            json!({"typ": "at+jwt"}),
            json!({"typ": "application/json"}),
            json!({"cty": "JWT"}),
            json!({"alg": "EdDsa"}),
            json!({"alg": "Ed25519"}),
            json!({"alg": "Ed448"}),
            json!({"alg": "HS256"}),
            json!({"alg": "RS256"}),
            json!({"alg": "PS512"}),
            json!({"alg": "ES256"}),
            json!({"crit": ["exp"], "exp": 0}),
            json!({"crit": ["b64"], "b64": false}),
            json!({"crit": []}),
            json!({"zip": "DEF"}),
            json!({"enc": "A128GCM"}),
            json!({"jku": "https://evil.example/jwks.json"}),
        ];
        let tokens = headers.map(|header| {
            (
                format!("header {header}"),
                self.signed(&self.header_with(&header), &self.claims),
            )
        });
        tokens.into()
    }

    pub(super) fn with_other_claims(&self) -> Vec<Forgery> {
        let now = self.claims["iat"].as_i64().unwrap();
        let audience = &self.claims["aud"];
        let issuer = &self.claims["iss"];
        let claims = [
            json!({"iss": "https://evil.example"}),
            json!({"iss": null}),
            json!({"iss": [issuer, "https://evil.example"]}),
            json!({"iss": format!("{}/", issuer.as_str().unwrap())}),
            json!({"aud": "another"}),
            json!({"aud": null}),
            json!({"aud": [audience, "another"]}),
            json!({"aud": []}),
            json!({"exp": null}),
            json!({"exp": now - 60}),
            json!({"exp": 0}),
            json!({"exp": -1}),
            json!({"exp": (now + 600).to_string()}),
            json!({"exp": 1e300}),
            json!({"exp": {"$gt": 0}}),
            json!({"nbf": null}),
            json!({"nbf": now + 600}),
            json!({"nbf": now + 1_000_000_000}),
            json!({"nbf": "0"}),
            json!({"sub": null}),
            json!({"sub": "admin"}),
            json!({"role": null}),
            json!({"role": "root"}),
            json!({"role": ["admin"]}),
            json!({"jti": null}),
        ];
        let tokens = claims.map(|claims| (format!("claims {claims}"), self.with_claims(&claims)));
        tokens.into()
    }

    /// What is no token of three parts in base64url.
    pub(super) fn misshapen(&self) -> Vec<Forgery> {
        let good = self.good();
        let parts: Vec<&str> = good.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            panic!("{good} has not three parts")
        };
        let flat = json!({"protected": header, "payload": claims, "signature": signature});
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let padded = parts.iter().map(|part| URL_SAFE.encode(bytes(part)) + "==");
        let other = STANDARD_NO_PAD.encode(bytes(signature));
        named([
            ("no text", String::new()),
            ("dots", "..".to_owned()),
            ("a part too many", format!("{good}.{signature}")),
            ("five parts", format!("{good}.{claims}.{signature}")),
            ("another token behind it", format!("{good},{good}")),
            ("a blank inside", good.replacen('.', ". ", 1)),
            ("padding", format!("{good}=")),
            ("padded parts", padded.collect::<Vec<_>>().join(".")),
            ("other base64", format!("{header}.{claims}.{other}+/")),
            ("as JSON", flat.to_string()),
            ("long", format!("{good}{}", "A".repeat(6_000))),
        ])
    }

    /// What is signed by our own key, and is JSON in more than one way, or in none.
    pub(super) fn unclean(&self) -> Vec<Forgery> {
        let (header, claims) = (self.header().to_string(), self.claims.to_string());
        let twice = |text: &str, member: &str| text.replacen('{', &format!("{{{member},"), 1);
        let texts = [
            (
                "role given twice",
                header.clone(),
                twice(&claims, r#""role":"customer""#),
            ),
            (
                "exp given twice",
                header.clone(),
                twice(&claims, r#""exp":1"#),
            ),
            (
                "alg given twice",
                twice(&header, r#""alg":"none""#),
                claims.clone(),
            ),
            (
                "kid given twice",
                twice(&header, r#""kid":"theirs""#),
                claims.clone(),
            ),
            (
                "claims that are a list",
                header.clone(),
                format!("[{claims}]"),
            ),
            ("claims that are no JSON", header.clone(), "x".to_owned()),
            (
                "claims with trailing data",
                header.clone(),
                format!("{claims}{{}}"),
            ),
            (
                "a header with trailing data",
                format!("{header}{{}}"),
                claims.clone(),
            ),
            ("a header that is deep", "[".repeat(1_000), claims),
        ];
        named(texts.map(|(name, header, claims)| (name, self.signed_texts(&header, &claims))))
    }
}
