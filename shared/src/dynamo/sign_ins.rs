//! Failed sign-ins: counted per account and address, and over all addresses per
//! account. Successful ones are not counted.
//!
//! Nobody is locked out by somebody else's failures. Failures at one address
//! count there only. When an account is tried from everywhere, an address that
//! never signed in to it gets fewer tries, and still gets them; one that did is
//! left alone. Accounts are told apart by their address's text, so one that does
//! not exist is counted like one that does.
//!
//! Also how many mails strangers may have sent to one address.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::KeysAndAttributes;

use super::DynamoError;
use super::limits::{Item, Limits, arrival, now_us, number, text};
use crate::domain::accounts::Email;
use crate::domain::limits::{Allowance, Bucket, Network, Quota};
use crate::providers::AwsError;
use crate::resilience::{Intent, call};

/// Over how long failures are counted, in seconds.
const WINDOW_SECONDS: u32 = 15 * 60;

/// Over how long mails are counted, in seconds.
const MAIL_WINDOW_SECONDS: u32 = 60 * 60;

/// Units of a failure at an address that never signed in to an account under attack.
const STRANGER_WEIGHT: u32 = 5;

/// How long an address is remembered after it signed in, in seconds.
const KNOWN_SECONDS: i64 = 90 * 24 * 3600;

/// An address is remembered anew when less than so much is left, in seconds.
const KNOWN_AGAIN_SECONDS: i64 = 60 * 24 * 3600;

/// A sign-in that may be tried.
#[derive(Debug)]
pub struct Attempt {
    /// This account at this address.
    here: Bucket,
    /// This account at all addresses.
    everywhere: Bucket,
    /// The row that says that this address signed in to this account.
    known_id: String,
    /// Whether there is anything to clear or to remember once it succeeds.
    has_failed_before: bool,
    is_remembered: bool,
}

/// Failures that one address may have with one account.
fn at_one_address(allowance: Allowance) -> Quota {
    Quota::new(allowance.per_address / 2, WINDOW_SECONDS)
}

/// Failures of all addresses with one account, before strangers get fewer tries.
fn at_all_addresses(allowance: Allowance) -> Quota {
    Quota::new(allowance.per_address.saturating_mul(5), WINDOW_SECONDS)
}

impl Limits {
    /// Whether a sign-in to the account called `email` may be tried from
    /// `network`: one read. Never fails; while the table is away, what happened in
    /// this environment decides.
    ///
    /// # Errors
    /// How long to wait for the next try.
    pub async fn begin_sign_in(&self, email: &Email, from: Network) -> Result<Attempt, Duration> {
        let name = email.key();
        let network = from.key();
        let bucket = |kind, parts: &[&str], quota| Bucket::new(&self.stage, kind, parts, quota);
        let one = at_one_address(self.allowance);
        let mut attempt = Attempt {
            here: bucket("failures-here", &[name, &network], one),
            everywhere: bucket("failures", &[name], at_all_addresses(self.allowance)),
            known_id: bucket("known", &[name, &network], one).id,
            has_failed_before: false,
            is_remembered: false,
        };
        self.check(&attempt.here)?;
        let known_until = self.read_attempt(&attempt).await;
        let now_us = now_us();
        let now = now_us / 1_000_000;
        attempt.is_remembered = known_until > now + KNOWN_AGAIN_SECONDS;
        attempt.has_failed_before = self.here().arrival_us(&attempt.here.id) > now_us;
        if known_until <= now && self.check(&attempt.everywhere).is_err() {
            attempt.here.weight = STRANGER_WEIGHT;
        }
        self.check(&attempt.here)?;
        Ok(attempt)
    }

    /// Counts a failure: two writes at the same time.
    pub async fn sign_in_failed(&self, attempt: &Attempt) {
        futures::join!(self.take(&attempt.here), self.take(&attempt.everywhere));
    }

    /// Forgets this address's failures and remembers that it signed in: usually
    /// no write, at most two at the same time.
    pub async fn sign_in_succeeded(&self, attempt: &Attempt) {
        self.here().forget(&attempt.here.id);
        let forget = async {
            if attempt.has_failed_before && !self.is_away() {
                self.noted(self.delete(&attempt.here.id).await);
            }
        };
        let remember = async {
            if !attempt.is_remembered && !self.is_away() {
                self.noted(self.remember(&attempt.known_id).await);
            }
        };
        futures::join!(forget, remember);
    }

    /// Counts a mail that somebody asks to be sent to `email` about `what`; whether it
    /// is to be sent. The address's owner has those that were, so nobody is kept from
    /// anything by a stranger who asks in their stead.
    pub async fn may_mail(&self, what: &str, email: &Email) -> bool {
        let quota = Quota::new((self.allowance.per_address / 4).max(1), MAIL_WINDOW_SECONDS);
        let bucket = Bucket::new(&self.stage, "mail", &[what, email.key()], quota);
        self.take(&bucket).await.admitted
    }

    /// Judges without counting, by what is known here.
    fn check(&self, bucket: &Bucket) -> Result<(), Duration> {
        let decision = bucket.judge(self.here().arrival_us(&bucket.id), now_us());
        if decision.admitted {
            Ok(())
        } else {
            Err(decision.reset)
        }
    }

    /// Takes over what the table knows of both counts. Answers until when the
    /// address is known, in seconds since 1970.
    async fn read_attempt(&self, attempt: &Attempt) -> i64 {
        if self.is_away() {
            return 0;
        }
        let ids = [&attempt.here.id, &attempt.everywhere.id, &attempt.known_id];
        let Some(rows) = self.noted(self.read(ids).await) else {
            return 0;
        };
        for bucket in [&attempt.here, &attempt.everywhere] {
            self.learn(&bucket.id, arrival(rows.get(&bucket.id)));
        }
        rows.get(&attempt.known_id)
            .and_then(|row| row.get("expires_at")?.as_n().ok()?.parse().ok())
            .unwrap_or_default()
    }

    /// Rows by their ids; those that there are.
    async fn read(&self, ids: [&String; 3]) -> Result<HashMap<String, Item>, DynamoError> {
        let keys = ids.map(|id| Item::from([("id".to_owned(), text(id))]));
        let keys = KeysAndAttributes::builder()
            .set_keys(Some(keys.to_vec()))
            .consistent_read(true)
            .build()
            .map_err(|error| DynamoError::Defect(error.into()))?;
        let output = call(Intent::LimitCheck, || async {
            let get = self
                .client
                .batch_get_item()
                .request_items(&self.table, keys.clone());
            get.send().await.map_err(AwsError::from)
        })
        .await?;
        let rows = output.responses.unwrap_or_default().into_values().flatten();
        Ok(rows
            .filter_map(|row| Some((row.get("id")?.as_s().ok()?.clone(), row)))
            .collect())
    }

    async fn delete(&self, id: &str) -> Result<(), DynamoError> {
        call(Intent::LimitCheck, || async {
            let delete = self.client.delete_item().table_name(&self.table);
            let delete = delete.key("id", text(id));
            delete.send().await.map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }

    async fn remember(&self, id: &str) -> Result<(), DynamoError> {
        let expires_at = now_us() / 1_000_000 + KNOWN_SECONDS;
        call(Intent::LimitCheck, || async {
            let put = self.client.put_item().table_name(&self.table);
            let put = put
                .item("id", text(id))
                .item("expires_at", number(expires_at));
            put.send().await.map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }
}
