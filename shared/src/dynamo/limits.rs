//! Rate limits: one row per bucket, and in front of the table what this
//! environment remembers by itself.
//!
//! What is remembered here refuses without a call, and decides alone while the
//! table is away. It only ever learns of requests that were counted, so it never
//! refuses what the table would admit.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::{DynamoError, Table};
use crate::clock;
use crate::domain::limits::{Allowance, Bucket, Buckets, Class, Decision, Holder, Policy, Quota};
use crate::providers::AwsError;
use crate::resilience::policies::LIMIT_CHECK_PAUSE;
use crate::resilience::{Intent, call};

/// Buckets that one environment remembers: about a megabyte.
const BUCKETS_MAX: usize = 10_000;

/// How long a row is kept once its quota is whole again, in seconds: the clocks
/// of two environments may differ.
const SLACK_SECONDS: i64 = 60;

pub(super) type Item = HashMap<String, AttributeValue>;

/// The limits.
#[derive(Clone)]
pub struct Limits {
    pub(super) client: Client,
    pub(super) table: String,
    pub(super) stage: String,
    pub(super) allowance: Allowance,
    here: Arc<Mutex<Buckets>>,
    /// Until when the table is not asked.
    away_until_us: Arc<AtomicI64>,
}

/// What a request was told, and by which limit.
#[derive(Debug, Clone, Copy)]
pub struct Judgement {
    /// The class's row.
    pub policy: Policy,
    /// The quota that holds for this caller.
    pub quota: Quota,
    /// The decision.
    pub decision: Decision,
}

/// What a conditional write came to.
enum Written {
    /// Counted: the arrival time after it.
    Counted(i64),
    /// The row is not as expected: the arrival time in it.
    Found(i64),
}

impl Limits {
    /// The limits in `table`, by stage and allowance.
    pub fn new(table: Table, stage: &str, allowance: Allowance) -> Self {
        Self {
            client: table.client,
            table: table.name,
            stage: stage.to_owned(),
            allowance,
            here: Arc::new(Mutex::new(Buckets::new(BUCKETS_MAX))),
            away_until_us: Arc::default(),
        }
    }

    /// What `class` allows.
    pub fn policy(&self, class: Class) -> Policy {
        class.policy(self.allowance)
    }

    /// Counts a request of `holder` and judges it: at most two writes, none for a
    /// class that each environment holds for itself. Never fails; while the table
    /// is away this environment decides alone.
    pub async fn judge(&self, class: Class, holder: Holder) -> Judgement {
        let policy = self.policy(class);
        let bucket = policy.bucket(&self.stage, holder);
        let decision = if policy.shared {
            self.take(&bucket).await
        } else {
            self.take_here(&bucket)
        };
        Judgement {
            policy,
            quota: bucket.quota,
            decision,
        }
    }

    /// Opens the connection to the table, so that the next request finds it open.
    /// Answers whether the table did.
    pub async fn warm_up(&self) -> bool {
        let bucket = Bucket::new(&self.stage, "warm-up", &[], Quota::new(u32::MAX, 60));
        self.ask(&bucket, 0).await.is_some()
    }

    /// Counts on `bucket`: here first, because a refusal here costs no call.
    pub(super) async fn take(&self, bucket: &Bucket) -> Decision {
        let known = self.here().arrival_us(&bucket.id);
        let decision = bucket.judge(known, now_us());
        if !decision.admitted {
            return decision;
        }
        match self.ask(bucket, known).await {
            Some(decision) => {
                self.learn(&bucket.id, decision.arrival_us);
                decision
            }
            None => self.take_here(bucket),
        }
    }

    fn take_here(&self, bucket: &Bucket) -> Decision {
        let now_us = now_us();
        let mut here = self.here();
        let decision = bucket.judge(here.arrival_us(&bucket.id), now_us);
        if decision.admitted {
            here.raise(&bucket.id, decision.arrival_us, now_us);
        }
        decision
    }

    /// Counts on the table. `None` while it is away, or when others are so busy
    /// with the same row that it changes from call to call.
    async fn ask(&self, bucket: &Bucket, known_us: i64) -> Option<Decision> {
        let mut expected_us = known_us;
        for _ in 0..2 {
            if self.is_away() {
                return None;
            }
            let now_us = now_us();
            let written = self.write(bucket, expected_us > now_us, now_us).await;
            match self.noted(written)? {
                Written::Counted(arrival_us) => {
                    // Judged as of before, so that what is left is said as it is now.
                    let before = arrival_us - bucket.quota.cost_us(bucket.weight);
                    return Some(Decision {
                        admitted: true,
                        arrival_us,
                        ..bucket.judge(before, now_us)
                    });
                }
                Written::Found(arrival_us) => {
                    let decision = bucket.judge(arrival_us, now_us);
                    if !decision.admitted {
                        return Some(decision);
                    }
                    expected_us = arrival_us;
                }
            }
        }
        None
    }

    /// One conditional write. A quota that is `running`, that is not whole, is
    /// added to; one that is whole begins anew. Which of the two it is, is a guess.
    async fn write(
        &self,
        bucket: &Bucket,
        running: bool,
        now_us: i64,
    ) -> Result<Written, DynamoError> {
        let quota = bucket.quota;
        let cost_us = quota.cost_us(bucket.weight);
        let expires_at = (now_us + quota.tolerance_us()) / 1_000_000 + SLACK_SECONDS;
        let latest_us = now_us + quota.tolerance_us() - cost_us;
        call(Intent::LimitCheck, || async {
            let update = self
                .client
                .update_item()
                .table_name(&self.table)
                .key("id", text(&bucket.id))
                .expression_attribute_values(":now", number(now_us))
                .expression_attribute_values(":expires", number(expires_at))
                .return_values(ReturnValue::UpdatedNew)
                .return_values_on_condition_check_failure(
                    ReturnValuesOnConditionCheckFailure::AllOld,
                );
            let update = if running {
                update
                    .update_expression("set arrival_us = arrival_us + :cost, expires_at = :expires")
                    .condition_expression("arrival_us > :now and arrival_us <= :latest")
                    .expression_attribute_values(":cost", number(cost_us))
                    .expression_attribute_values(":latest", number(latest_us))
            } else {
                update
                    .update_expression("set arrival_us = :fresh, expires_at = :expires")
                    .condition_expression("attribute_not_exists(arrival_us) or arrival_us <= :now")
                    .expression_attribute_values(":fresh", number(now_us + cost_us))
            };
            match update.send().await {
                Ok(output) => Ok(Written::Counted(arrival(output.attributes.as_ref()))),
                Err(error) => match error.as_service_error() {
                    Some(UpdateItemError::ConditionalCheckFailedException(found)) => {
                        Ok(Written::Found(arrival(found.item.as_ref())))
                    }
                    _ => Err(AwsError::from(error)),
                },
            }
        })
        .await
        .map_err(DynamoError::from)
    }

    /// What the table said. After a failure it is left alone for a while: not
    /// every request shall wait for it.
    pub(super) fn noted<T>(&self, outcome: Result<T, DynamoError>) -> Option<T> {
        outcome
            .inspect_err(|error| {
                tracing::warn!(error = %error, "this environment holds the limits by itself");
                let pause_us = i64::try_from(LIMIT_CHECK_PAUSE.as_micros()).unwrap_or_default();
                self.away_until_us
                    .store(now_us() + pause_us, Ordering::Relaxed);
            })
            .ok()
    }

    pub(super) fn is_away(&self) -> bool {
        now_us() < self.away_until_us.load(Ordering::Relaxed)
    }

    /// Takes over what the table knows.
    pub(super) fn learn(&self, id: &str, arrival_us: i64) {
        self.here().raise(id, arrival_us, now_us());
    }

    pub(super) fn here(&self) -> MutexGuard<'_, Buckets> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The arrival time in a row; long ago if there is none.
pub(super) fn arrival(item: Option<&Item>) -> i64 {
    item.and_then(|item| item.get("arrival_us"))
        .and_then(|value| value.as_n().ok()?.parse().ok())
        .unwrap_or_default()
}

pub(super) fn now_us() -> i64 {
    i64::try_from(clock::now().unix_timestamp_nanos() / 1_000).unwrap_or_default()
}

pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}
