//! Every body that the contract knows, spoilt in every way, sent to the deployed functions by an
//! admin after a second factor: what is refused, is refused for the body alone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use serde_json::{Value, json};
use tests::Stack;
use tests::client::{Answer, read};
use tests::contract::{Contract, ID, Operation};
use tests::shop::new_key;
use uuid::Uuid;

use super::tokens::Keys;

/// How many requests are under way at once.
const AT_ONCE: usize = 8;

/// What somebody may want to slip in where it is not asked for.
const EXTRA: [&str; 8] = [
    "id",
    "role",
    "user_id",
    "price",
    "status",
    "email_verified",
    "is_admin",
    "__proto__",
];

/// The largest body that every route takes, and the provider's webhook, in bytes.
const BODY_MAX: usize = 256 * 1024;
const WEBHOOK_MAX: usize = 1024 * 1024;

/// A body, what it is sent as, and what it must be answered with.
struct Spoilt {
    name: String,
    body: Vec<u8>,
    headers: Vec<(reqwest::header::HeaderName, &'static str)>,
    expected: Expected,
}

enum Expected {
    /// One of these statuses.
    Status(&'static [u16]),
    /// 422, with this field at fault.
    Field(String),
    /// Anything but a defect.
    NoDefect,
}

impl Spoilt {
    fn new(name: &str, body: impl Into<Vec<u8>>, statuses: &'static [u16]) -> Self {
        Self {
            name: name.to_owned(),
            body: body.into(),
            headers: vec![(CONTENT_TYPE, "application/json")],
            expected: Expected::Status(statuses),
        }
    }

    fn field(name: &str, body: impl ToString, pointer: String) -> Self {
        Self {
            expected: Expected::Field(pointer),
            ..Self::new(name, body.to_string(), &[])
        }
    }

    fn fault(&self, answer: &Answer) -> Option<String> {
        let (status, body) = (answer.status.as_u16(), &answer.body);
        let is_as_expected = match &self.expected {
            Expected::Status(statuses) => statuses.contains(&status),
            Expected::Field(pointer) => status == 422 && body["errors"][0]["pointer"] == **pointer,
            Expected::NoDefect => status < 500,
        };
        (!is_as_expected).then(|| format!("{}: {status} {body}", self.name))
    }
}

/// An operation with a body, and how it is called.
struct Target {
    contract: Contract,
    operation: Operation,
    stack: Stack,
    http: reqwest::Client,
    token: String,
}

impl Target {
    /// Every operation that takes a body.
    async fn all() -> Vec<Self> {
        let (contract, stack) = (Contract::committed(), Stack::running());
        let keys = Keys::of(&stack).await;
        let mut claims = keys.claims(&Uuid::now_v7().to_string(), "admin");
        claims["step_up_until"] = claims["exp"].clone();
        let token = keys.sign(&claims);
        let http = reqwest::Client::new();
        let operations = contract.operations().into_iter();
        let operations = operations.filter(|operation| contract.body(operation).is_some());
        operations
            .map(|operation| Self {
                contract: contract.clone(),
                operation,
                stack: stack.clone(),
                http: http.clone(),
                token: token.clone(),
            })
            .collect()
    }

    fn schema(&self) -> &Value {
        self.contract.body(&self.operation).unwrap()
    }

    fn sample(&self) -> Value {
        self.contract.sample(self.schema())
    }

    fn needs_body(&self) -> bool {
        self.operation.spec["requestBody"]["required"] == true
    }

    /// Whether its members are the contract's and not somebody else's, as a webhook's are.
    fn is_ours(&self) -> bool {
        self.schema().get("properties").is_some()
    }

    async fn send(&self, spoilt: &Spoilt) -> Answer {
        let url = self.stack.url(&self.operation.filled(ID));
        let mut request = self.http.request(self.operation.method.clone(), url);
        request = request.bearer_auth(&self.token).body(spoilt.body.clone());
        request = request
            .header("idempotency-key", new_key())
            .header("if-match", "*");
        for (name, value) in &spoilt.headers {
            request = request.header(name, *value);
        }
        read(request).await
    }
}

/// Sends what `spoil` makes of every body, and fails with all that was not refused as it should be.
async fn refuses(least: usize, spoil: impl Fn(&Target) -> Vec<Spoilt>) {
    let targets = Target::all().await;
    let cases = targets
        .iter()
        .flat_map(|target| spoil(target).into_iter().map(move |one| (target, one)));
    let cases: Vec<_> = cases.collect();
    assert!(cases.len() >= least, "only {} cases", cases.len());
    let tried = futures::stream::iter(cases).map(async |(target, spoilt)| {
        let fault = spoilt.fault(&target.send(&spoilt).await);
        fault.map(|fault| format!("{}, {fault}", target.operation.name()))
    });
    let faults: Vec<Option<String>> = tried.buffer_unordered(AT_ONCE).collect().await;
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[tokio::test]
async fn member_that_is_not_asked_for_is_refused_by_name() {
    refuses(200, |target| {
        let sample = target.sample();
        let objects = target.contract.objects(target.schema());
        let extra = objects.iter().flat_map(|(pointer, known)| {
            let strange = EXTRA
                .into_iter()
                .filter(move |name| !known.iter().any(|known| known == name));
            strange.map(move |name| (pointer, name))
        });
        let spoilt = extra.map(|(pointer, name)| {
            let mut body = sample.clone();
            body.pointer_mut(pointer).unwrap()[name] = json!("admin");
            Spoilt::field("a member too many", body, format!("{pointer}/{name}"))
        });
        spoilt.collect()
    })
    .await;
}

#[tokio::test]
async fn member_that_is_given_twice_is_refused_by_name() {
    refuses(30, |target| {
        let sample = target.sample();
        let objects = target.contract.objects(target.schema()).into_keys();
        let spoilt = objects.filter_map(|pointer| {
            let object = sample.pointer(&pointer)?.as_object()?;
            let (name, value) = object.iter().next()?;
            let member = format!("{}:{value},", json!(name));
            let twice =
                Value::Object(object.clone())
                    .to_string()
                    .replacen('{', &format!("{{{member}"), 1);
            let body = with_text(&sample, &pointer, &twice);
            Some(Spoilt::field(
                "a member twice",
                body,
                format!("{pointer}/{name}"),
            ))
        });
        spoilt.collect()
    })
    .await;
}

#[tokio::test]
async fn list_in_the_place_of_an_object_is_refused() {
    refuses(30, |target| {
        let sample = target.sample();
        let objects = target.contract.objects(target.schema()).into_keys();
        let spoilt = objects.map(|pointer| {
            let mut body = sample.clone();
            let place = body.pointer_mut(&pointer).unwrap();
            // serde would take the values alone for the object.
            let values: Vec<Value> = place.as_object().unwrap().values().cloned().collect();
            *place = json!(values);
            Spoilt::field("a list", body, pointer)
        });
        spoilt.collect()
    })
    .await;
}

#[tokio::test]
async fn text_that_no_database_can_hold_is_no_defect() {
    refuses(40, |target| {
        let spoilt = with_nul(&target.sample())
            .into_iter()
            .map(|(pointer, body)| {
                let name = format!("NUL at {pointer}");
                Spoilt {
                    expected: Expected::NoDefect,
                    ..Spoilt::new(&name, body.to_string(), &[])
                }
            });
        spoilt.collect()
    })
    .await;
}

#[tokio::test]
async fn what_is_no_json_object_is_unreadable() {
    refuses(300, |target| {
        let text = target.sample().to_string();
        let utf_16 = |to_bytes: fn(u16) -> [u8; 2]| {
            text.encode_utf16().flat_map(to_bytes).collect::<Vec<u8>>()
        };
        let lone = r#"{"a":"\ud800"}"#;
        let mut spoilt = vec![
            Spoilt::new("blanks", " \n", &[400]),
            Spoilt::new("half", &text[..text.len() - 1], &[400]),
            Spoilt::new("two", format!("{text}{text}"), &[400]),
            Spoilt::new("a comma too many", text.replacen('}', ",}", 1), &[400]),
            Spoilt::new("single quotes", text.replace('"', "'"), &[400]),
            Spoilt::new(
                "lists, 10,000 deep",
                "[".repeat(10_000) + &"]".repeat(10_000),
                &[400],
            ),
            Spoilt::new(
                "objects, 10,000 deep",
                r#"{"a":"#.repeat(10_000) + "1" + &"}".repeat(10_000),
                &[400],
            ),
            Spoilt::new("UTF-16, little", utf_16(u16::to_le_bytes), &[400]),
            Spoilt::new("UTF-16, big", utf_16(u16::to_be_bytes), &[400]),
            Spoilt::new(
                "a mark of the byte order",
                format!("\u{feff}{text}"),
                &[400],
            ),
            Spoilt::new(
                "no UTF-8",
                [br#"{"a":""#.as_slice(), b"\xff\xfe", br#""}"#].concat(),
                &[400],
            ),
            Spoilt::new(
                "overlong UTF-8",
                [br#"{"a":""#.as_slice(), b"\xc0\xaf", br#""}"#].concat(),
                &[400],
            ),
            Spoilt::new("a lone surrogate", lone, &[400]),
            Spoilt::new("a number without end", r#"{"a":1e999}"#, &[400]),
            Spoilt::new("not a number", r#"{"a":NaN}"#, &[400]),
            Spoilt::new("a form", "a=b&c=d", &[400]),
        ];
        if target.needs_body() {
            spoilt.push(Spoilt::new("nothing", "", &[400]));
        }
        if target.is_ours() {
            spoilt.extend(
                ["[]", "null", "1", "\"text\"", "true"].map(|body| Spoilt::new(body, body, &[422])),
            );
        }
        spoilt
    })
    .await;
}

#[tokio::test]
async fn body_that_is_sent_as_something_else_is_refused() {
    refuses(100, |target| {
        if !target.is_ours() {
            return Vec::new();
        }
        let text = target.sample().to_string();
        let types = [
            "",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
        ];
        let mut spoilt: Vec<Spoilt> = Vec::new();
        for media_type in types {
            let headers = vec![(CONTENT_TYPE, media_type)];
            spoilt.push(Spoilt {
                headers,
                ..Spoilt::new(media_type, text.clone(), &[415])
            });
        }
        // `{}`, packed.
        let packed = STANDARD.decode("H4sIAAAAAAACA6uuBQBDv6ajAgAAAA==").unwrap();
        let mut zipped = Spoilt::new("gzip", packed, &[400, 415]);
        zipped.headers.push((CONTENT_ENCODING, "gzip"));
        spoilt.push(zipped);
        spoilt
    })
    .await;
}

#[tokio::test]
async fn body_over_the_limit_is_refused() {
    refuses(25, |target| {
        let limit = if target.is_ours() {
            BODY_MAX
        } else {
            WEBHOOK_MAX
        };
        let body = json!({"a": "x".repeat(limit)}).to_string();
        vec![Spoilt::new("too large", body, &[413])]
    })
    .await;
}

/// The value as text, with another text at `pointer`.
fn with_text(value: &Value, pointer: &str, text: &str) -> String {
    const MARK: &str = "cut here";
    if pointer.is_empty() {
        return text.to_owned();
    }
    let mut value = value.clone();
    *value.pointer_mut(pointer).unwrap() = json!(MARK);
    value.to_string().replace(&json!(MARK).to_string(), text)
}

/// The value with a NUL in one of its texts, once for each of them, and where that is.
pub(super) fn with_nul(value: &Value) -> Vec<(String, Value)> {
    let mut places = Vec::new();
    find_texts(value, String::new(), &mut places);
    let spoilt = places.into_iter().map(|pointer| {
        let mut body = value.clone();
        *body.pointer_mut(&pointer).unwrap() = json!("a\0b");
        (pointer, body)
    });
    spoilt.collect()
}

/// The value with another text in the place of every one.
pub(super) fn with_every_text(value: &Value, text: &str) -> Value {
    let mut places = Vec::new();
    find_texts(value, String::new(), &mut places);
    let mut body = value.clone();
    for pointer in places {
        *body.pointer_mut(&pointer).unwrap() = json!(text);
    }
    body
}

fn find_texts(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(pointer),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                find_texts(item, format!("{pointer}/{index}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                find_texts(member, format!("{pointer}/{name}"), found);
            }
        }
        _ => {}
    }
}
