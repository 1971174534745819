//! Where the environments tell each other how their breakers stand, and operators how they shall.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Deserialize;

use super::DynamoError;
use super::control::{Change, Control, breaker_key};
use crate::clock;
use crate::providers::AwsError;
use crate::resilience::{Dependency, Election, Forced, Intent, Shared, SharedState, call};
use crate::telemetry;

/// A breaker as it is stored. `prober` and `prober_until_ms` beside it are only for elections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct StoredBreaker {
    /// Until when nobody calls; absent: it is closed.
    #[serde(default)]
    open_until_ms: Option<i64>,
    /// Counts the transitions.
    #[serde(default)]
    version: u64,
    /// What an operator wants: `open`, `closed` or absent.
    #[serde(default)]
    forced: Option<String>,
    /// Which operator, if one ever wanted something.
    #[serde(default)]
    pub change: Option<Change>,
}

impl StoredBreaker {
    pub(super) fn shared(&self) -> Shared {
        Shared {
            open_until_ms: self.open_until_ms,
            version: self.version,
            forced: match self.forced.as_deref() {
                Some("open") => Some(Forced::Open),
                Some("closed") => Some(Forced::Closed),
                Some(_) | None => None,
            },
        }
    }
}

/// The breakers that are shared.
#[derive(Clone)]
pub struct SharedBreakers(Control);

impl SharedBreakers {
    /// The breakers in `control`.
    pub fn new(control: Control) -> Self {
        Self(control)
    }

    /// Which operator last said something about a breaker, as far as is known.
    pub async fn change(&self, dependency: Dependency) -> Option<Change> {
        self.0.refresh().await;
        let known = self.0.known();
        known.breakers.get(dependency.name())?.change.clone()
    }

    /// Holds a breaker open or closed in every environment; `None` lets it go. One that
    /// was held closed is closed when it is let go.
    ///
    /// # Errors
    /// DynamoDB's.
    pub async fn force(
        &self,
        dependency: Dependency,
        forced: Option<Forced>,
        change: &Change,
    ) -> Result<(), DynamoError> {
        let change: AttributeValue = serde_dynamo::to_attribute_value(change)?;
        call(Intent::ControlWrite, || async {
            let update = self
                .update(dependency)
                .expression_attribute_names("#change", "change")
                .expression_attribute_names("#forced", "forced")
                .expression_attribute_values(":change", change.clone());
            let update = match forced {
                Some(Forced::Open) => update
                    .update_expression("set #change = :change, #forced = :forced")
                    .expression_attribute_values(":forced", text(Forced::Open.name())),
                Some(Forced::Closed) => update
                    .update_expression(
                        "set #change = :change, #forced = :forced, version = if_not_exists(version, :none) + :one \
                         remove open_until_ms, prober, prober_until_ms",
                    )
                    .expression_attribute_values(":forced", text(Forced::Closed.name()))
                    .expression_attribute_values(":none", number(0))
                    .expression_attribute_values(":one", number(1)),
                None => update.update_expression("set #change = :change remove #forced"),
            };
            update.send().await.map_err(AwsError::from)
        })
        .await?;
        self.0.read().await.map(drop)
    }

    fn update(&self, dependency: Dependency) -> UpdateItemFluentBuilder {
        let update = self.0.client.update_item().table_name(&self.0.table);
        update.key("name", breaker_key(dependency))
    }

    async fn ask_to_probe(&self, dependency: Dependency, until_ms: i64) -> Result<(), DynamoError> {
        call(Intent::ControlWrite, || async {
            self.update(dependency)
                .update_expression("set prober = :me, prober_until_ms = :until")
                .condition_expression(
                    "attribute_not_exists(prober_until_ms) or prober_until_ms < :now or prober = :me",
                )
                .expression_attribute_values(":me", text(&self.0.environment))
                .expression_attribute_values(":until", number(until_ms))
                .expression_attribute_values(":now", number(clock::now_ms()))
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }

    async fn write(
        &self,
        dependency: Dependency,
        version: u64,
        open_until_ms: Option<i64>,
    ) -> Result<u64, DynamoError> {
        let next = version.saturating_add(1);
        call(Intent::ControlWrite, || async {
            let update = self
                .update(dependency)
                .condition_expression("attribute_not_exists(version) or version = :before")
                .expression_attribute_values(":before", number(version))
                .expression_attribute_values(":next", number(next));
            let update = match open_until_ms {
                Some(until_ms) => update
                    .update_expression(
                        "set version = :next, open_until_ms = :until remove prober, prober_until_ms",
                    )
                    .expression_attribute_values(":until", number(until_ms)),
                None => update.update_expression(
                    "set version = :next remove open_until_ms, prober, prober_until_ms",
                ),
            };
            update.send().await.map_err(AwsError::from)
        })
        .await?;
        Ok(next)
    }
}

impl SharedState for SharedBreakers {
    fn refresh(&self) -> BoxFuture<'_, ()> {
        self.0.refresh().boxed()
    }

    fn known(&self, dependency: Dependency) -> Option<Shared> {
        let known = self.0.known();
        known
            .breakers
            .get(dependency.name())
            .map(StoredBreaker::shared)
    }

    fn elect(&self, dependency: Dependency, until_ms: i64) -> BoxFuture<'_, Election> {
        async move {
            match self.ask_to_probe(dependency, until_ms).await {
                Err(DynamoError::ConditionFailed) => Election::Lost,
                Ok(()) => Election::Won,
                Err(error) => {
                    let error = telemetry::chain(&error);
                    tracing::warn!(error, "nobody can be elected, so this environment probes");
                    Election::Won
                }
            }
        }
        .boxed()
    }

    fn publish(
        &self,
        dependency: Dependency,
        version: u64,
        open_until_ms: Option<i64>,
    ) -> BoxFuture<'_, Option<u64>> {
        async move {
            let written = self.write(dependency, version, open_until_ms).await;
            let told = written.inspect_err(|error| {
                let error = telemetry::chain(error);
                tracing::warn!(error, "the other environments were not told");
            });
            told.ok()
        }
        .boxed()
    }
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
