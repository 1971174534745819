//! The append-only file that everything is rebuilt from: one JSON line per executed request.
//!
//! A line holds all that the request changed, so a process that dies in the middle leaves either
//! the whole of it or a torn last line, which is cut off at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::idempotency::Answer;
use super::objects::{Charge, Customer, Event, HeldMethod, Metadata, PaymentIntent, Refund};

/// The file's name in the data directory.
const FILE: &str = "payments.jsonl";

/// All that one request changed.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    pub(super) at: i64,
    /// Money that moved or was refused; this is what `GET /_sandbox/ledger` shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) entries: Vec<Entry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) intents: Vec<PaymentIntent>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) methods: Vec<HeldMethod>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) customers: Vec<Customer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) charges: Vec<Charge>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) refunds: Vec<Refund>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) events: Vec<Event>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) answer: Option<Answer>,
    /// The id of an event that the webhook has acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delivered: Option<String>,
}

impl Record {
    pub(super) fn is_empty(&self) -> bool {
        self.answer.is_none()
            && self.delivered.is_none()
            && self.entries.is_empty()
            && self.intents.is_empty()
            && self.methods.is_empty()
            && self.customers.is_empty()
            && self.charges.is_empty()
            && self.refunds.is_empty()
            && self.events.is_empty()
    }
}

/// One movement of money.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) kind: EntryKind,
    /// The charge or the refund.
    pub(super) id: String,
    pub(super) charge: String,
    pub(super) payment_intent: String,
    pub(super) amount: i64,
    pub(super) currency: String,
    pub(super) customer: Option<String>,
    pub(super) metadata: Metadata,
    pub(super) idempotency_key: Option<String>,
    pub(super) request_id: String,
    pub(super) at: i64,
}

/// Money in hand is the sum of `charge` and `capture` less that of `refund`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum EntryKind {
    /// Taken at once.
    Charge,
    /// Held, to be captured later.
    Authorization,
    /// Taken from what was held.
    Capture,
    /// Held money given back without having been taken.
    Release,
    /// Taken money given back.
    Refund,
    /// Refused; nothing moved.
    FailedCharge,
}

/// The open file.
#[derive(Debug)]
pub(super) struct Ledger {
    file: File,
    length: u64,
}

impl Ledger {
    /// Opens or creates the file and hands each of its records to `apply`, oldest first.
    pub(super) fn open(data_dir: &Path, mut apply: impl FnMut(Record)) -> anyhow::Result<Self> {
        fs::create_dir_all(data_dir).with_context(|| format!("creating {}", data_dir.display()))?;
        let path = data_dir.join(FILE);
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(&path)?;
        // Two writers would each hold half of the truth.
        file.try_lock()
            .with_context(|| format!("{} is in use", path.display()))?;
        let text = fs::read(&path)?;
        let length = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        for (number, line) in text[..length].split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                continue;
            }
            let record = serde_json::from_slice(line)
                .with_context(|| format!("{}, line {}", path.display(), number + 1))?;
            apply(record);
        }
        let length = length as u64;
        file.set_len(length)?;
        file.flush()?;
        Ok(Self { file, length })
    }

    /// Writes one record; after a failure the file is as it was before.
    pub(super) fn append(&mut self, record: &Record) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            self.file.set_len(self.length)?;
            return Err(error.into());
        }
        self.length += line.len() as u64;
        Ok(())
    }
}
