//! What several functions stand on.

use std::sync::Arc;

use aws_config::SdkConfig;

use crate::config::{BaseConfig, EdgeConfig, SellingConfig};
use crate::domain::money::Currency;
use crate::dynamo::Tables;
use crate::dynamo::breakers::SharedBreakers;
use crate::dynamo::carts::Carts;
use crate::dynamo::control::Control;
use crate::dynamo::flags::Flags;
use crate::dynamo::intents::Intents;
use crate::dynamo::limits::Limits;
use crate::dynamo::sessions::Sessions;
use crate::providers::objects::KeptObjects;
use crate::providers::payments::Payments;
use crate::providers::queues::Queues;
use crate::providers::secrets::Secrets;
use crate::providers::signing::Verifier;
use crate::resilience::{self, SharedState};
use crate::store::database::Database;
use crate::store::last_good::LastGood;
use crate::telemetry;

/// What every function with a database has.
#[derive(Clone)]
pub struct Base {
    tables: Tables,
    /// PostgreSQL.
    pub database: Database,
    /// SQS: the queues that the function was told of.
    pub queues: Queues,
    /// Secrets Manager.
    pub secrets: Secrets,
    /// Kill switches, on DynamoDB.
    pub flags: Flags,
    /// What the environments know of each other's breakers, on DynamoDB.
    pub breakers: SharedBreakers,
}

impl Base {
    pub(super) fn new(config: BaseConfig, aws: &SdkConfig) -> Self {
        telemetry::set_stage(config.stage.as_str());
        let secrets = Secrets::new(aws, config.given_secrets, config.secrets_replica.as_ref());
        let tables = Tables::new(aws);
        let control = Control::new(tables.table(&config.control_table));
        let breakers = SharedBreakers::new(control.clone());
        resilience::share_breakers(Arc::new(breakers.clone()));
        Self {
            database: Database::new(config.database, secrets.clone()),
            queues: Queues::new(aws, config.queues),
            flags: Flags::new(control),
            secrets,
            breakers,
            tables,
        }
    }
}

/// What every function with HTTP has: who calls, and how often they may.
#[derive(Clone)]
pub struct Edge {
    base: Base,
    /// Access tokens.
    pub verifier: Verifier,
    /// Sessions, on DynamoDB.
    pub sessions: Sessions,
    /// Rate limits, on DynamoDB.
    pub limits: Limits,
    /// Origins that browsers may call from; `*` for any.
    pub cors_allowed_origins: Vec<String>,
}

impl Edge {
    pub(super) fn new(base: &Base, stage: &str, config: EdgeConfig) -> Self {
        let verifier = Verifier::new(
            base.secrets.clone(),
            &config.jwt_public,
            &config.token_issuer,
            &config.token_audience,
        );
        Self {
            base: base.clone(),
            verifier,
            sessions: Sessions::new(base.tables.table(&config.sessions_table)),
            limits: Limits::new(
                base.tables.table(&config.limits_table),
                stage,
                config.allowance,
            ),
            cors_allowed_origins: config.cors_allowed_origins,
        }
    }

    /// Touches what a request would need, so that the next one finds it warm.
    /// Failures are logged: a warm-up has nobody to tell.
    pub async fn warm_up(&self) {
        let (pool, keys, (), _) = futures::join!(
            self.database.warm_up(),
            self.verifier.ring(),
            self.breakers.refresh(),
            self.limits.warm_up()
        );
        if let Err(error) = pool {
            tracing::warn!(error = %error, "the pool could not be warmed");
        }
        if let Err(error) = keys {
            tracing::warn!(error = %error, "the keys could not be warmed");
        }
    }
}

/// The database, and the catalogue for when none of its nodes answers.
#[derive(Clone)]
pub struct Shelf {
    base: Base,
    /// On S3.
    pub last_good: LastGood,
}

impl Shelf {
    pub(super) fn new(base: Base, bucket: String, aws: &SdkConfig) -> Self {
        Self {
            base,
            last_good: LastGood::new(KeptObjects::new(aws, bucket)),
        }
    }
}

/// What whoever places, charges and refunds orders has.
#[derive(Clone)]
pub struct Selling {
    shelf: Shelf,
    /// The payment provider.
    pub payments: Payments,
    /// Carts, on DynamoDB.
    pub carts: Carts,
    /// Orders that were accepted without the database, on DynamoDB.
    pub intents: Intents,
    /// The one currency.
    pub currency: Currency,
}

impl Selling {
    pub(super) fn new(config: SellingConfig, aws: &SdkConfig) -> Self {
        let base = Base::new(config.base, aws);
        Self {
            payments: Payments::new(config.payments, base.secrets.clone()),
            carts: Carts::new(base.tables.table(&config.carts_table)),
            intents: Intents::new(base.tables.table(&config.intents_table)),
            currency: config.currency,
            shelf: Shelf::new(base, config.catalogue_bucket, aws),
        }
    }
}

/// Lets one thing be used as the other that it stands on.
macro_rules! stands_on {
    ($($upper:ident on $field:ident: $lower:ident),+ $(,)?) => {$(
        impl std::ops::Deref for $upper {
            type Target = $lower;

            fn deref(&self) -> &$lower {
                &self.$field
            }
        }
    )+};
}
pub(super) use stands_on;

stands_on!(Edge on base: Base, Shelf on base: Base, Selling on shelf: Shelf);
