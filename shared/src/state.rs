//! What a function has at hand: built once at cold start, cheap to clone.

use std::ops::Deref;
use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};

use crate::config::Config;
use crate::dynamo::Tables;
use crate::dynamo::breakers::SharedBreakers;
use crate::dynamo::control::Control;
use crate::dynamo::flags::Flags;
use crate::dynamo::intents::Intents;
use crate::dynamo::limits::Limits;
use crate::dynamo::sessions::Sessions;
use crate::http::ReadCache;
use crate::providers::aws_http_client;
use crate::providers::mail::Mail;
use crate::providers::objects::Objects;
use crate::providers::payments::Payments;
use crate::providers::probes::Probes;
use crate::providers::queues::Queues;
use crate::providers::secrets::Secrets;
use crate::providers::signing::{Signer, Verifier};
use crate::resilience::{self, SharedState};
use crate::store::database::Database;
use crate::store::last_good::LastGood;

/// The parts; nothing here connects before it is used.
pub struct Parts {
    /// What the function was told from outside.
    pub config: Config,
    /// The AWS clients' shared settings.
    pub aws: SdkConfig,
    /// PostgreSQL.
    pub database: Database,
    /// DynamoDB.
    pub tables: Tables,
    /// Sessions, on DynamoDB.
    pub sessions: Sessions,
    /// Kill switches, on DynamoDB.
    pub flags: Flags,
    /// What the environments know of each other's breakers, on DynamoDB.
    pub breakers: SharedBreakers,
    /// Rate limits, on DynamoDB.
    pub limits: Limits,
    /// Orders that were accepted without the database, on DynamoDB.
    pub intents: Intents,
    /// SQS.
    pub queues: Queues,
    /// SES, then SMTP.
    pub mail: Mail,
    /// S3.
    pub objects: Objects,
    /// The catalogue for when no database node answers, on S3.
    pub last_good: LastGood,
    /// Secrets Manager.
    pub secrets: Secrets,
    /// The payment provider.
    pub payments: Payments,
    /// Access tokens.
    pub verifier: Verifier,
    /// Whether what is outside is there.
    pub probes: Probes,
    /// New access tokens; only `auth` may read its keys.
    pub signer: Signer,
    /// Reads that many callers share.
    pub reads: ReadCache,
}

/// A cheap handle on the parts.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl AppState {
    /// Builds every part. Reaches nothing outside.
    pub async fn build(config: Config) -> Self {
        // Retries are ours, in one layer.
        let aws = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::disabled())
            .http_client(aws_http_client())
            .load()
            .await;
        Self::assemble(config, aws)
    }

    /// Builds every part on clients' settings that are already there.
    pub fn assemble(config: Config, aws: SdkConfig) -> Self {
        let secrets = Secrets::new(&aws, config.secrets_replica.as_ref());
        let verifier = Verifier::new(
            secrets.clone(),
            &config.secrets.jwt_public,
            &config.token_issuer,
            &config.token_audience,
        );
        let signer = Signer::new(
            secrets.clone(),
            &config.secrets.jwt_private,
            &config.token_issuer,
            &config.token_audience,
        );
        let mail = Mail::new(&aws, &config, &secrets);
        let probes = Probes::new(&aws, &config, secrets.clone(), mail.clone());
        let tables = Tables::new(&aws, &config);
        let control = Control::new(&tables);
        let breakers = SharedBreakers::new(control.clone());
        resilience::share_breakers(Arc::new(breakers.clone()));
        let objects = Objects::new(&aws, &config);
        Self(Arc::new(Parts {
            database: Database::new(&config, secrets.clone()),
            sessions: Sessions::new(&tables),
            flags: Flags::new(control),
            breakers,
            limits: Limits::new(&tables, &config),
            intents: Intents::new(&tables),
            tables,
            queues: Queues::new(&aws, &config),
            mail,
            last_good: LastGood::new(objects.clone()),
            objects,
            probes,
            payments: Payments::new(&config, secrets.clone()),
            secrets,
            verifier,
            signer,
            reads: ReadCache::new(config.cache_ttl),
            aws,
            config,
        }))
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

/// Starts a function: crypto, logs, configuration, state. Refuses to start on a fault.
///
/// # Errors
/// Every fault of the configuration, in one message.
pub async fn start() -> Result<AppState, lambda_runtime::Error> {
    crate::telemetry::start();
    // Two providers are linked into no binary, but rustls asks for the choice to be made.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = Config::from_env()
        .inspect_err(|faults| tracing::error!(error = %faults, "refusing to start"))?;
    crate::telemetry::set_stage(&config.stage);
    Ok(Box::pin(AppState::build(config)).await)
}
