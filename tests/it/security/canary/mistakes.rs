//! The same texts where they do not belong: in paths, queries, headers and every body.

use futures::StreamExt;
use serde_json::json;
use tests::client::{Answer, read};
use tests::contract::{Contract, ID, Operation};
use tests::shop::new_key;

use super::life::Canary;
use crate::security::bodies::with_every_text;

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

impl Canary {
    /// One text in every place of a request that may be logged or repeated.
    async fn scatter(&self, contract: &Contract, operation: &Operation, text: &str) -> Answer {
        let mut url = reqwest::Url::parse(&self.stack.url(&operation.filled("x"))).unwrap();
        let parts = operation.path.split('/').skip(1);
        let parts = parts.map(|part| if part.starts_with('{') { text } else { part });
        url.path_segments_mut().unwrap().clear().extend(parts);
        url.query_pairs_mut().extend_pairs([
            ("q", text),
            ("sort", text),
            ("cursor", text),
            ("limit", text),
        ]);
        let mut request = reqwest::Client::new().request(operation.method.clone(), url);
        for name in [
            "user-agent",
            "referer",
            "cookie",
            "x-api-key",
            "stripe-signature",
            "if-match",
            "origin",
        ] {
            request = request.header(name, text);
        }
        // By nobody, so that what is right by chance does nothing.
        let authorization = format!("Basic {text}");
        request = request
            .header("authorization", authorization)
            .header("idempotency-key", new_key());
        if let Some(schema) = contract.body(operation) {
            request = request.json(&with_every_text(&contract.sample(schema), text));
        }
        read(request).await
    }

    /// The same by somebody who is known, in the body alone.
    async fn misplace(
        &self,
        contract: &Contract,
        operation: &Operation,
        text: &str,
    ) -> Vec<Answer> {
        let Some(schema) = contract.body(operation) else {
            return Vec::new();
        };
        let path = operation.filled(ID);
        let mut wrong = with_every_text(&contract.sample(schema), text);
        wrong["surplus"] = json!(text);
        let broken = format!("{{\"a\":\"{text}\"");
        let mut answers = Vec::new();
        for body in [wrong.to_string(), json!([text]).to_string(), broken] {
            let path = path.trim_start_matches("/api/v1");
            let request = self.shop.admin.request(operation.method.clone(), path);
            let request = request
                .header("idempotency-key", new_key())
                .header("if-match", "*");
            answers.push(
                read(
                    request
                        .header("content-type", "application/json")
                        .body(body),
                )
                .await,
            );
        }
        answers
    }

    /// Everything that somebody who mistakes one field for another may do; the answers.
    pub(super) async fn err(&self) -> Vec<(String, Answer)> {
        let contract = Contract::committed();
        let texts = self.texts();
        let operations = contract.operations();
        let cases = operations
            .iter()
            .flat_map(|operation| texts.iter().map(move |text| (operation, text)));
        let answers = futures::stream::iter(cases).map(async |(operation, text)| {
            let mut answers = self.misplace(&contract, operation, text).await;
            answers.push(self.scatter(&contract, operation, text).await);
            answers
                .into_iter()
                .map(|answer| (operation.name(), answer))
                .collect::<Vec<_>>()
        });
        answers.buffer_unordered(AT_ONCE).concat().await
    }
}
