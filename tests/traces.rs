//! Everything that the running stack keeps: rows, items, messages, objects and log lines, searched
//! for texts that may be in some places only.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use local::stack::STAGE;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Connection};
use time::OffsetDateTime;

use crate::Stack;
use crate::database::server;

/// A text that is looked for, in all the ways in which somebody may write it down.
#[derive(Debug, Clone)]
pub struct Needle {
    /// What it is.
    pub what: &'static str,
    forms: Vec<String>,
}

impl Needle {
    /// The text itself, in hexadecimal, in base64, and as it stands in an address.
    pub fn new(what: &'static str, text: &str) -> Self {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        let percent: String = text
            .bytes()
            .map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect();
        let base64 = STANDARD.encode(text).trim_end_matches('=').to_owned();
        let mut forms = vec![
            text.to_owned(),
            hex,
            percent,
            base64,
            URL_SAFE_NO_PAD.encode(text),
        ];
        forms.dedup();
        Self { what, forms }
    }

    /// Whether it is in `text` in one of its forms.
    pub fn is_in(&self, text: &str) -> bool {
        self.forms.iter().any(|form| text.contains(form.as_str()))
    }
}

/// A place, and what was found there.
pub type Found = BTreeSet<(String, &'static str)>;

/// What a search is for, and since when the texts exist.
#[derive(Debug)]
pub struct Search<'a> {
    stack: &'a Stack,
    needles: &'a [Needle],
    since: OffsetDateTime,
    found: Found,
}

impl<'a> Search<'a> {
    /// Looks through all that the stack keeps, but mails and secrets.
    ///
    /// # Panics
    /// A part of the stack does not answer.
    pub async fn everywhere(
        stack: &'a Stack,
        needles: &'a [Needle],
        since: OffsetDateTime,
    ) -> Found {
        let mut search = Self {
            stack,
            needles,
            since,
            found: Found::new(),
        };
        search.rows().await;
        search.items().await;
        search.messages().await;
        search.objects().await;
        search.log_lines().await;
        search.found
    }

    fn look(&mut self, place: &str, text: &str) {
        for needle in self.needles.iter().filter(|needle| needle.is_in(text)) {
            self.found.insert((place.to_owned(), needle.what));
        }
    }

    /// Every column of every table: `postgres users.email`.
    async fn rows(&mut self) {
        let name = self
            .stack
            .environment("auth")
            .await
            .remove("DB_NAME")
            .unwrap();
        let mut connection = server().database(&name).connect().await.unwrap();
        let tables: Vec<String> =
            sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let forms = self
            .needles
            .iter()
            .flat_map(|needle| needle.forms.iter().map(|form| (needle.what, form.as_str())));
        let (whats, forms): (Vec<&'static str>, Vec<&str>) = forms.unzip();
        for table in tables {
            let statement = format!(
                "select distinct member.name, needle.what from {table} t, jsonb_each_text(to_jsonb(t)) as member (name, value),
                     unnest($1::text[], $2::text[]) as needle (what, form)
                 where position(needle.form in member.value) > 0"
            );
            let rows: Vec<(String, String)> = sqlx::query_as(&statement)
                .bind(&whats)
                .bind(&forms)
                .fetch_all(&mut connection)
                .await
                .unwrap();
            for (column, what) in rows {
                let what = whats.iter().find(|known| **known == what).unwrap();
                self.found
                    .insert((format!("postgres {table}.{column}"), *what));
            }
        }
        connection.close().await.unwrap();
    }

    /// Every item of every table: `dynamodb sessions`.
    async fn items(&mut self) {
        for name in self
            .names("dynamodb", "DynamoDB_20120810.ListTables", "TableNames")
            .await
        {
            let mut start = Value::Null;
            loop {
                let mut input = json!({ "TableName": name });
                if !start.is_null() {
                    input["ExclusiveStartKey"] = start;
                }
                let page = self
                    .call("dynamodb", "DynamoDB_20120810.Scan", &input)
                    .await;
                let place = format!("dynamodb {}", short(&name));
                self.look(&place, &page["Items"].to_string());
                start = page["LastEvaluatedKey"].clone();
                if start.is_null() {
                    break;
                }
            }
        }
    }

    /// Every message that waits: `sqs mail-dlq`. They are left where they are.
    async fn messages(&mut self) {
        for url in self.names("sqs", "AmazonSQS.ListQueues", "QueueUrls").await {
            let input = json!({
                "QueueUrl": url, "MaxNumberOfMessages": 10, "VisibilityTimeout": 0, "MessageAttributeNames": ["All"],
            });
            for _ in 0..5 {
                let messages = self.call("sqs", "AmazonSQS.ReceiveMessage", &input).await;
                let place = format!("sqs {}", short(url.rsplit('/').next().unwrap()));
                self.look(&place, &messages["Messages"].to_string());
            }
        }
    }

    /// Every object that is new: `s3 catalogue`.
    async fn objects(&mut self) {
        let since = self.since;
        for bucket in tags(&self.get("s3", "/").await, "Name") {
            let mut start = String::new();
            loop {
                let page = self
                    .get("s3", &format!("/{bucket}?list-type=2&start-after={start}"))
                    .await;
                let keys = tags(&page, "Key");
                let times = tags(&page, "LastModified");
                let place = format!("s3 {}", short(&bucket));
                for (key, time) in keys.iter().zip(times) {
                    self.look(&place, key);
                    let time = OffsetDateTime::parse(
                        &time,
                        &time::format_description::well_known::Rfc3339,
                    );
                    if time.is_ok_and(|time| time < since) {
                        continue;
                    }
                    let object = self.get("s3", &format!("/{bucket}/{key}")).await;
                    self.look(&place, &object);
                }
                match keys.last().filter(|_| page.contains("<IsTruncated>true")) {
                    Some(last) => start.clone_from(last),
                    None => break,
                }
            }
        }
    }

    /// Every line of every function: `log auth`.
    async fn log_lines(&mut self) {
        let input = json!({"logGroupNamePrefix": "/aws/lambda/"});
        let groups = self
            .call("logs", "Logs_20140328.DescribeLogGroups", &input)
            .await;
        for group in groups["logGroups"].as_array().unwrap() {
            let name = group["logGroupName"].as_str().unwrap();
            let lines = log_lines(self.stack, name, self.since).await;
            self.look(
                &format!("log {}", short(name.trim_start_matches("/aws/lambda/"))),
                &lines,
            );
        }
    }

    async fn names(&self, service: &str, target: &str, member: &str) -> Vec<String> {
        let listed = self.call(service, target, &json!({})).await;
        let names = listed[member].as_array().unwrap().iter();
        names
            .map(|name| name.as_str().unwrap().to_owned())
            .filter(|name| name.contains("holdfast-"))
            .collect()
    }

    async fn call(&self, service: &str, target: &str, input: &Value) -> Value {
        call(self.stack, service, target, input).await
    }

    async fn get(&self, service: &str, path: &str) -> String {
        let answer = self
            .stack
            .aws(service, Method::GET, path)
            .send()
            .await
            .unwrap();
        String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned()
    }
}

/// The lines of a log group since a time, together.
///
/// # Panics
/// The emulator does not answer.
pub async fn log_lines(stack: &Stack, group: &str, since: OffsetDateTime) -> String {
    let since_ms = i64::try_from(since.unix_timestamp_nanos() / 1_000_000).unwrap();
    let mut input = json!({"logGroupName": group, "startTime": since_ms});
    let mut lines = String::new();
    loop {
        let page = call(stack, "logs", "Logs_20140328.FilterLogEvents", &input).await;
        for event in page["events"].as_array().into_iter().flatten() {
            lines += event["message"].as_str().unwrap_or_default();
            lines.push('\n');
        }
        match &page["nextToken"] {
            Value::String(token) if input["nextToken"] != **token => {
                input["nextToken"] = json!(token)
            }
            _ => return lines,
        }
    }
}

async fn call(stack: &Stack, service: &str, target: &str, input: &Value) -> Value {
    let request = stack
        .aws(service, Method::POST, "/")
        .header("x-amz-target", target);
    let request = request
        .header("content-type", "application/x-amz-json-1.0")
        .body(input.to_string());
    let answer = request.send().await.unwrap();
    let text = answer.text().await.unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{target}: {error}: {text}"))
}

/// Without what every name of the stage begins with, and the account.
fn short(name: &str) -> &str {
    let name = name.trim_start_matches(&format!("holdfast-{STAGE}-"));
    name.trim_end_matches(&format!("-{}", local::aws::ACCOUNT))
}

/// What stands in the tags of a name, in an answer that is XML.
pub fn tags(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(&open).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(&close)?.0.to_owned()))
        .collect()
}
