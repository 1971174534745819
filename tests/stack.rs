//! The local stack that whole flows run against.

use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Names the file with what `cargo holdfast status --json` prints.
pub(crate) const VARIABLE: &str = "HOLDFAST_STATUS";

/// cargo-nextest gives each test a process and lets those that make faults run alone. Under plain
/// `cargo test` all tests share this process, and this lock does the same.
static COMPANY: RwLock<()> = RwLock::new(());

thread_local! {
    /// Each test has its thread, and its place goes with it.
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
}

/// Held, never read.
enum Place {
    Among(#[expect(dead_code)] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code)] RwLockWriteGuard<'static, ()>),
}

/// A running stack.
#[derive(Debug, Clone, Deserialize)]
pub struct Stack {
    /// The API's one address, without a path.
    pub api_url: String,
    /// The documentation page.
    pub docs_url: String,
    /// The AWS emulator.
    pub aws_endpoint_url: String,
    /// The one that plays the other region.
    pub aws_secondary_endpoint_url: String,
    /// The payment sandbox.
    pub payments_url: String,
    /// The control of the fault proxy.
    pub faults_url: String,
    /// The sink of the second mail provider.
    pub smtp: Address,
    /// The nodes: `primary`, `replica`, `fallback`.
    pub database: BTreeMap<String, Node>,
    /// Process ids by name.
    pub processes: BTreeMap<String, u32>,
    /// Who can sign in.
    pub accounts: Accounts,
}

/// Where a server listens.
#[derive(Debug, Clone, Deserialize)]
pub struct Address {
    /// Always loopback.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// One PostgreSQL node.
#[derive(Debug, Clone, Deserialize)]
pub struct Node {
    /// Always loopback.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its process, if it runs.
    pub pid: Option<u32>,
    /// Its data folder.
    pub data_dir: PathBuf,
}

/// The sample people.
#[derive(Debug, Clone, Deserialize)]
pub struct Accounts {
    /// May do everything.
    pub admin: Account,
    /// Owns the sample catalogue.
    pub seller: Account,
    /// Buys.
    pub customer: Account,
}

/// How one person signs in.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
    /// What codes are made of, for whoever has a second factor: base32.
    pub totp_secret: Option<String>,
}

/// The running stack, as the command line knows it.
///
/// # Panics
/// There is none.
pub fn local() -> local::Stack {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let name = std::env::var("HOLDFAST_STACK").unwrap();
    local::Stack::open(root, &name, None).unwrap()
}

impl Stack {
    /// The stack that `cargo holdfast test` brought up for this run.
    ///
    /// # Panics
    /// There is none.
    pub fn running() -> Self {
        PLACE.with_borrow_mut(|place| {
            place.get_or_insert_with(|| {
                Place::Among(COMPANY.read().unwrap_or_else(PoisonError::into_inner))
            });
        });
        Self::read()
    }

    /// The same, for a test that makes faults: it waits until no other test uses the stack, and
    /// keeps others away until it ends. To be called before anything else of the stack.
    ///
    /// # Panics
    /// There is none.
    pub fn alone() -> Self {
        PLACE.with_borrow_mut(|place| {
            // Waiting for itself would last for ever.
            *place = None;
            let alone = COMPANY.write().unwrap_or_else(PoisonError::into_inner);
            *place = Some(Place::Alone(alone));
        });
        Self::read()
    }

    fn read() -> Self {
        let path = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!("{VARIABLE} is not set: this test needs the local stack. Run it with `cargo holdfast test`.")
        });
        let text = std::fs::read(&path)
            .unwrap_or_else(|error| panic!("{path}: {error}. Run `cargo holdfast test`."));
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The address of a path of the API.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.api_url)
    }

    /// Every movement of money for an order, as the payment provider tells it, oldest first.
    ///
    /// # Panics
    /// The sandbox does not answer.
    pub async fn movements(&self, order: &str) -> Vec<Value> {
        let ledger = page(&format!("{}/_sandbox/ledger", self.payments_url)).await;
        let entries = ledger["data"].as_array().unwrap().iter();
        let ours = entries.filter(|entry| entry["metadata"]["order_id"] == order);
        ours.cloned().collect()
    }

    /// Every mail that SES has sent.
    ///
    /// # Panics
    /// The emulator does not answer.
    pub async fn ses_mails(&self) -> Vec<Value> {
        let sent = page(&format!(
            "{}/_ministack/ses/messages",
            self.aws_endpoint_url
        ))
        .await;
        let senders = sent["messages"].as_object().unwrap().values();
        let mails = senders.flat_map(|mails| mails.as_array().unwrap());
        mails.cloned().collect()
    }

    /// Those of them that somebody got.
    ///
    /// # Panics
    /// As [`Stack::ses_mails`].
    pub async fn ses_mails_to(&self, email: &str) -> Vec<Value> {
        let mut mails = self.ses_mails().await;
        mails.retain(|mail| mail["To"].to_string().contains(email));
        mails
    }

    /// The environment that a function was deployed with, so that a test can build the same state
    /// in its own process: `Config::parse(stack.environment("checkout").await)`.
    ///
    /// # Panics
    /// The function is not deployed.
    pub async fn environment(&self, function: &str) -> BTreeMap<String, String> {
        let path = format!(
            "/2015-03-31/functions/holdfast-{}-{function}/configuration",
            local::stack::STAGE
        );
        let request = self.aws("lambda", Method::GET, &path);
        let answer = request.send().await.unwrap().error_for_status().unwrap();
        let answer: Value = answer.json().await.unwrap();
        serde_json::from_value(answer["Environment"]["Variables"].clone()).unwrap()
    }

    /// A request to a service of the emulator.
    pub fn aws(&self, service: &str, method: Method, path: &str) -> RequestBuilder {
        // The emulator looks only at whose key it is, so the request carries a name and no signature.
        let identity = format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            local::aws::ACCESS_KEY,
            local::aws::REGION
        );
        reqwest::Client::new()
            .request(method, format!("{}{path}", self.aws_endpoint_url))
            .header("authorization", identity)
    }
}

async fn page(url: &str) -> Value {
    reqwest::get(url).await.unwrap().json().await.unwrap()
}
