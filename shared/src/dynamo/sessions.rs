//! Sessions: the families of refresh tokens, and from when on an account's
//! access tokens are good.
//!
//! One item per family under `user_id` and `family_id`, and beside them, under
//! `family_id = "valid_after"`, the account's cut-off.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use moka::future::Cache;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{DynamoError, Table};
use crate::clock;
use crate::domain::ids;
use crate::domain::secrets::{NoRandomness, Opaque};
use crate::domain::sessions::{Family, Holder, RefreshToken, milliseconds};
use crate::providers::AwsError;
use crate::providers::signing::{Claims, TOKEN_SECONDS};
use crate::resilience::policies::{SESSION_CHECK_PAUSE, SESSION_CHECK_TTL};
use crate::resilience::{Intent, call};

/// The sort key of the cut-off. Families' ids are hexadecimal and sort before it.
const VALID_AFTER: &str = "valid_after";

/// Accounts whose cut-off is remembered in one environment.
const CUT_OFFS_MAX: u64 = 10_000;

/// The sessions.
#[derive(Clone)]
pub struct Sessions {
    client: Client,
    table: String,
    cut_offs: Cache<Uuid, CutOff>,
}

#[derive(Clone, Copy)]
struct CutOff {
    valid_after_ms: Option<i64>,
    /// Wall time, because a frozen environment's monotonic clock stands still.
    good_until: OffsetDateTime,
}

#[derive(Serialize, Deserialize)]
struct CutOffItem {
    user_id: Uuid,
    family_id: String,
    valid_after_ms: i64,
    expires_at: i64,
}

/// Why a session could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// No token could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The table did not take it.
    #[error(transparent)]
    Dynamo(#[from] DynamoError),
}

impl Sessions {
    /// The sessions in `table`.
    pub fn new(table: Table) -> Self {
        Self {
            client: table.client,
            table: table.name,
            cut_offs: Cache::new(CUT_OFFS_MAX),
        }
    }

    /// Begins a session of `user`: one write.
    ///
    /// # Errors
    /// DynamoDB's, or no randomness.
    pub async fn begin(
        &self,
        user: Uuid,
        holder: Holder,
    ) -> Result<(Family, RefreshToken), BeginError> {
        let token = RefreshToken::first(user, ids::new_id(), Opaque::generate()?);
        let family = Family::begin(&token, holder, clock::now());
        let item = serde_dynamo::to_item(&family).map_err(DynamoError::from)?;
        self.put(item).await?;
        Ok((family, token))
    }

    /// The family that `token` names, whether or not the token is its good one.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn family(&self, token: &RefreshToken) -> Result<Option<Family>, DynamoError> {
        let output = call(Intent::DynamoRead, || async {
            self.client
                .get_item()
                .table_name(&self.table)
                .set_key(Some(key(token.user_id, token.family_id)))
                .consistent_read(true)
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(output.item.map(serde_dynamo::from_item).transpose()?)
    }

    /// Replaces a family's good token, unless somebody else was faster
    /// ([`DynamoError::ConditionFailed`]).
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn rotate(
        &self,
        family: &Family,
        successor: &RefreshToken,
        holder: Holder,
    ) -> Result<(), DynamoError> {
        let rotated = family.rotated(&successor.digest(), holder, clock::now());
        let item = serde_dynamo::to_item(&rotated)?;
        let spent = AttributeValue::S(family.current().to_text());
        call(Intent::DynamoWrite, || async {
            self.client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(HashMap::clone(&item)))
                .condition_expression("#current = :spent")
                .expression_attribute_names("#current", "current")
                .expression_attribute_values(":spent", spent.clone())
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }

    /// Ends one session; false when there was none.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn end(&self, user: Uuid, family: Uuid) -> Result<bool, DynamoError> {
        let output = call(Intent::DynamoWrite, || async {
            self.client
                .delete_item()
                .table_name(&self.table)
                .set_key(Some(key(user, family)))
                .return_values(aws_sdk_dynamodb::types::ReturnValue::AllOld)
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(output.attributes.is_some())
    }

    /// Ends every session of `user`, and every access token that was issued
    /// until now: these first, because they are good without being refreshed.
    ///
    /// # Errors
    /// DynamoDB's; some of the sessions may have ended.
    pub async fn end_all(&self, user: Uuid) -> Result<(), DynamoError> {
        self.cut_off(user, clock::now()).await?;
        if self.end_families(user).await? {
            // Until it went, a family may have been refreshed for a token of after the cut-off.
            self.cut_off(user, clock::now()).await?;
        }
        Ok(())
    }

    /// Whether there were any.
    async fn end_families(&self, user: Uuid) -> Result<bool, DynamoError> {
        let mut before = None;
        loop {
            let families = self.list(user, before, 100).await?;
            let ended = families
                .iter()
                .map(|family| self.end(user, family.family_id));
            futures::future::try_join_all(ended).await?;
            let Some(last) = families.last() else {
                return Ok(before.is_some());
            };
            before = Some(last.family_id);
        }
    }

    /// The live sessions of `user`, the newest first, those older than `before`.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn list(
        &self,
        user: Uuid,
        before: Option<Uuid>,
        limit: usize,
    ) -> Result<Vec<Family>, DynamoError> {
        let before = before.map_or_else(|| VALID_AFTER.to_owned(), |id| id.to_string());
        let mut families: Vec<Family> = Vec::new();
        let mut start = None;
        // A filter is applied after the page was cut, so one page may hold too few.
        while families.len() < limit {
            let output = call(Intent::DynamoRead, || async {
                self.client
                    .query()
                    .table_name(&self.table)
                    .key_condition_expression("user_id = :user and family_id < :before")
                    .filter_expression("expires_at > :now")
                    .expression_attribute_values(":user", text(user))
                    .expression_attribute_values(":before", AttributeValue::S(before.clone()))
                    .expression_attribute_values(":now", seconds(clock::now()))
                    .scan_index_forward(false)
                    .consistent_read(true)
                    .set_exclusive_start_key(start.clone())
                    .send()
                    .await
                    .map_err(AwsError::from)
            })
            .await?;
            families.extend(serde_dynamo::from_items::<_, Family>(
                output.items.unwrap_or_default(),
            )?);
            start = output.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        families.truncate(limit);
        Ok(families)
    }

    /// Whether the token with these claims was ended before its time. While the
    /// table is away, what was last known holds, and otherwise the token is good.
    pub async fn is_over(&self, claims: &Claims) -> bool {
        let valid_after = self.valid_after(claims.sub).await;
        valid_after.is_some_and(|cut_off| claims.issued_at_ms() < cut_off)
    }

    async fn valid_after(&self, user: Uuid) -> Option<i64> {
        let known = self.cut_offs.get(&user).await;
        if let Some(known) = known.filter(|known| clock::now() < known.good_until) {
            return known.valid_after_ms;
        }
        match self.read_cut_off(user).await {
            Ok(valid_after) => {
                self.remember(user, valid_after, SESSION_CHECK_TTL).await;
                valid_after
            }
            Err(error) => {
                tracing::warn!(error = %error, "access tokens are good until they expire");
                let valid_after = known.and_then(|known| known.valid_after_ms);
                self.remember(user, valid_after, SESSION_CHECK_PAUSE).await;
                valid_after
            }
        }
    }

    async fn remember(&self, user: Uuid, valid_after_ms: Option<i64>, age: std::time::Duration) {
        let cut_off = CutOff {
            valid_after_ms,
            good_until: clock::now() + age,
        };
        self.cut_offs.insert(user, cut_off).await;
    }

    async fn read_cut_off(&self, user: Uuid) -> Result<Option<i64>, DynamoError> {
        let output = call(Intent::SessionCheck, || async {
            self.client
                .get_item()
                .table_name(&self.table)
                .set_key(Some(key(user, VALID_AFTER)))
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        let item: Option<CutOffItem> = output.item.map(serde_dynamo::from_item).transpose()?;
        Ok(item.map(|item| item.valid_after_ms))
    }

    async fn cut_off(&self, user: Uuid, now: OffsetDateTime) -> Result<(), DynamoError> {
        let valid_after_ms = milliseconds(now);
        let item = CutOffItem {
            user_id: user,
            family_id: VALID_AFTER.to_owned(),
            valid_after_ms,
            // Every token that it ends has expired by then.
            expires_at: (now + Duration::seconds(2 * TOKEN_SECONDS)).unix_timestamp(),
        };
        self.put(serde_dynamo::to_item(&item)?).await?;
        self.remember(user, Some(valid_after_ms), SESSION_CHECK_TTL)
            .await;
        Ok(())
    }

    async fn put(&self, item: HashMap<String, AttributeValue>) -> Result<(), DynamoError> {
        call(Intent::DynamoWrite, || async {
            self.client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item.clone()))
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }
}

fn key(user: Uuid, sort: impl ToString) -> HashMap<String, AttributeValue> {
    [("user_id", text(user)), ("family_id", text(sort))]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

fn seconds(at: OffsetDateTime) -> AttributeValue {
    AttributeValue::N(at.unix_timestamp().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::accounts::Role;

    #[test]
    fn family_is_read_back_from_its_item() {
        let token = RefreshToken::first(ids::new_id(), ids::new_id(), Opaque::from_bytes([1; 32]));
        let holder = Holder {
            role: Role::Seller,
            wallet_id: ids::new_id(),
            email_verified: true,
            epoch: 3,
        };
        let now = OffsetDateTime::UNIX_EPOCH;
        let family = Family::begin(&token, holder, now).rotated(&token.digest(), holder, now);
        let item: HashMap<String, AttributeValue> = serde_dynamo::to_item(&family).unwrap();
        assert_eq!(item["user_id"], text(token.user_id));
        assert_eq!(item["expires_at"], seconds(family.expires_at));
        assert_eq!(serde_dynamo::from_item::<_, Family>(item).unwrap(), family);
    }

    #[test]
    fn cut_off_sorts_after_every_family() {
        assert!(uuid::Uuid::max().to_string().as_str() < VALID_AFTER);
    }
}
