//! Who is told what: the configuration of each function, and what several of them share.

use std::time::Duration;

use serde::Deserialize;

use super::shop::{country, currency, payments_url, shop_name};
use super::{
    Config, DatabaseConfig, EdgeConfig, GivenSecrets, MailConfig, MediaConfig, PaymentsConfig,
    QueueUrls, Reader, SecretsReplica, ShopConfig, Stage, TelemetryConfig,
};
use crate::domain::address::Country;
use crate::domain::events::Queue;
use crate::domain::money::Currency;

/// What every function with a database is told.
#[derive(Debug, Clone)]
pub struct BaseConfig {
    /// The stage.
    pub stage: Stage,
    /// Where traces go.
    pub telemetry: TelemetryConfig,
    /// Where the database is.
    pub database: DatabaseConfig,
    /// The secrets that the function is given itself.
    pub given_secrets: GivenSecrets,
    /// Where secrets are read while their first region is away.
    pub secrets_replica: Option<SecretsReplica>,
    /// The table of kill switches and breakers.
    pub control_table: String,
    /// The queues that the function sends to or is fed from.
    pub queues: QueueUrls,
}

impl BaseConfig {
    fn read(reader: &mut Reader, queues: &[Queue]) -> Self {
        Self {
            stage: reader.stage().clone(),
            telemetry: outside(reader),
            database: DatabaseConfig::read(reader),
            given_secrets: reader.given_secrets.clone(),
            secrets_replica: SecretsReplica::read(reader),
            control_table: reader.text("CONTROL_TABLE"),
            queues: QueueUrls::read(reader, queues),
        }
    }
}

/// What concerns every function, the one without a database too: where AWS is, where traces go.
fn outside(reader: &mut Reader) -> TelemetryConfig {
    if reader.is_production() {
        for name in reader.beginning_with("AWS_ENDPOINT_URL") {
            reader.fault(&name, "is a local stack's: leave it out in production");
        }
    }
    TelemetryConfig::read(reader)
}

/// What whoever places, charges and refunds orders is told.
#[derive(Debug, Clone)]
pub struct SellingConfig {
    /// What every function is told.
    pub base: BaseConfig,
    /// The payment provider.
    pub payments: PaymentsConfig,
    /// The table of carts.
    pub carts_table: String,
    /// The table of orders that were accepted without the database.
    pub intents_table: String,
    /// The bucket of the last-good catalogue.
    pub catalogue_bucket: String,
    /// The one currency.
    pub currency: Currency,
}

impl SellingConfig {
    fn read(reader: &mut Reader, queues: &[Queue]) -> Self {
        Self {
            base: BaseConfig::read(reader, queues),
            payments: PaymentsConfig::read(reader),
            carts_table: reader.text("CARTS_TABLE"),
            intents_table: reader.text("INTENTS_TABLE"),
            catalogue_bucket: reader.text("CATALOGUE_BUCKET"),
            currency: currency(reader),
        }
    }
}

/// Accounts, sign-in and keys.
#[derive(Debug, Clone)]
pub struct AuthConfig {
    /// What every function is told.
    pub base: BaseConfig,
    /// What every function with HTTP is told.
    pub edge: EdgeConfig,
    /// The name of the secret with the signing keys, private halves included.
    pub jwt_private: String,
    /// The name of the secret that refresh tokens' successors are made with.
    pub session_key: String,
    /// The name of the secret that second factors are sealed with.
    pub totp_key: String,
    /// What devices show beside a second factor's code.
    pub shop_name: String,
    /// The currency of new wallets.
    pub currency: Currency,
}

impl Config for AuthConfig {
    const FUNCTION: &'static str = "auth";

    fn read(reader: &mut Reader) -> Self {
        Self {
            base: BaseConfig::read(reader, &[Queue::Mail]),
            edge: EdgeConfig::read(reader),
            jwt_private: reader.secret_id("JWT_PRIVATE_SECRET_ID", "jwt-private"),
            session_key: reader.secret_id("SESSION_SECRET_ID", "session-key"),
            totp_key: reader.secret_id("TOTP_SECRET_ID", "totp-key"),
            shop_name: shop_name(reader),
            currency: currency(reader),
        }
    }
}

/// The catalogue.
#[derive(Debug, Clone)]
pub struct ProductsConfig {
    /// What every function is told.
    pub base: BaseConfig,
    /// What every function with HTTP is told.
    pub edge: EdgeConfig,
    /// Pictures.
    pub media: MediaConfig,
    /// The bucket of the last-good catalogue.
    pub catalogue_bucket: String,
    /// How old a cached read may be.
    pub cache_ttl: Duration,
    /// The one currency.
    pub currency: Currency,
}

impl Config for ProductsConfig {
    const FUNCTION: &'static str = "products";

    fn read(reader: &mut Reader) -> Self {
        Self {
            base: BaseConfig::read(reader, &[Queue::Catalogue, Queue::Analytics]),
            edge: EdgeConfig::read(reader),
            media: MediaConfig::read(reader),
            catalogue_bucket: reader.text("CATALOGUE_BUCKET"),
            cache_ttl: Duration::from_secs(reader.number("GW_CACHE_TTL", 30)),
            currency: currency(reader),
        }
    }
}

/// Carts, orders, payments, rates.
#[derive(Debug, Clone)]
pub struct CheckoutConfig {
    /// What whoever sells is told.
    pub selling: SellingConfig,
    /// What every function with HTTP is told.
    pub edge: EdgeConfig,
    /// Where a cart is priced for before an address is known.
    pub country: Country,
}

impl Config for CheckoutConfig {
    const FUNCTION: &'static str = "checkout";

    fn read(reader: &mut Reader) -> Self {
        Self {
            selling: SellingConfig::read(reader, &Queue::ALL),
            edge: EdgeConfig::read(reader),
            country: country(reader),
        }
    }
}

/// Health, kill switches, the console, the contract. What else is here is asked by readiness.
#[derive(Debug, Clone)]
pub struct OpsConfig {
    /// What every function is told.
    pub base: BaseConfig,
    /// What every function with HTTP is told.
    pub edge: EdgeConfig,
    /// The mail providers.
    pub mail: MailConfig,
    /// The payment provider's origin.
    pub payments_url: String,
    /// The table of carts.
    pub carts_table: String,
    /// The bucket of pictures.
    pub media_bucket: String,
    /// The one currency.
    pub currency: Currency,
}

impl Config for OpsConfig {
    const FUNCTION: &'static str = "ops";

    fn read(reader: &mut Reader) -> Self {
        Self {
            // Readiness asks the first one, the console all of them and their dead letters.
            base: BaseConfig::read(reader, &Queue::ALL),
            edge: EdgeConfig::read(reader),
            mail: MailConfig {
                identity: Some(reader.text("MAIL_IDENTITY")),
                ..MailConfig::read(reader)
            },
            payments_url: payments_url(reader),
            carts_table: reader.text("CARTS_TABLE"),
            media_bucket: reader.text("MEDIA_BUCKET"),
            currency: currency(reader),
        }
    }
}

/// Finishes orders.
#[derive(Debug, Clone)]
pub struct OrderWorkerConfig(pub SellingConfig);

impl Config for OrderWorkerConfig {
    const FUNCTION: &'static str = "order-worker";

    fn read(reader: &mut Reader) -> Self {
        let queues = [Queue::Orders, Queue::Mail, Queue::Analytics];
        Self(SellingConfig::read(reader, &queues))
    }
}

/// Sends mails.
#[derive(Debug, Clone)]
pub struct MailerConfig {
    /// What every function is told.
    pub base: BaseConfig,
    /// The mail providers.
    pub mail: MailConfig,
    /// What mails say about the shop.
    pub shop: ShopConfig,
}

impl Config for MailerConfig {
    const FUNCTION: &'static str = "mailer";

    fn read(reader: &mut Reader) -> Self {
        Self {
            base: BaseConfig::read(reader, &[Queue::Mail]),
            mail: MailConfig::read(reader).with_login(reader),
            shop: ShopConfig::read(reader),
        }
    }
}

/// Keeps the last-good catalogue.
#[derive(Debug, Clone)]
pub struct ProjectorConfig {
    /// What every function is told.
    pub base: BaseConfig,
    /// The bucket of the last-good catalogue.
    pub catalogue_bucket: String,
}

impl Config for ProjectorConfig {
    const FUNCTION: &'static str = "projector";

    fn read(reader: &mut Reader) -> Self {
        Self {
            base: BaseConfig::read(reader, &[Queue::Catalogue, Queue::Analytics]),
            catalogue_bucket: reader.text("CATALOGUE_BUCKET"),
        }
    }
}

/// Does what was left over.
#[derive(Debug, Clone)]
pub struct SweeperConfig(pub SellingConfig);

impl Config for SweeperConfig {
    const FUNCTION: &'static str = "sweeper";

    fn read(reader: &mut Reader) -> Self {
        Self(SellingConfig::read(reader, &Queue::ALL))
    }
}

/// Keeps dead letters, and replays them.
#[derive(Debug, Clone)]
pub struct DlqReplayerConfig(pub BaseConfig);

impl Config for DlqReplayerConfig {
    const FUNCTION: &'static str = "dlq-replayer";

    fn read(reader: &mut Reader) -> Self {
        Self(BaseConfig::read(reader, &Queue::ALL))
    }
}

/// Changes keys and logins.
#[derive(Debug, Clone)]
pub struct KeyRotatorConfig {
    /// What every function is told.
    pub base: BaseConfig,
    /// The name of the secret with the signing keys, private halves included.
    pub jwt_private: String,
    /// The name of the secret with their public halves.
    pub jwt_public: String,
}

impl Config for KeyRotatorConfig {
    const FUNCTION: &'static str = "key-rotator";

    fn read(reader: &mut Reader) -> Self {
        Self {
            base: BaseConfig::read(reader, &[]),
            jwt_private: reader.secret_id("JWT_PRIVATE_SECRET_ID", "jwt-private"),
            jwt_public: reader.secret_id("JWT_PUBLIC_SECRET_ID", "jwt-public"),
        }
    }
}

/// Keeps the others warm.
#[derive(Debug, Clone)]
pub struct WarmerConfig {
    /// Where traces go.
    pub telemetry: TelemetryConfig,
    /// What is kept warm.
    pub targets: Vec<WarmTarget>,
}

/// A function's alias, and how many environments of it are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WarmTarget {
    /// `name:alias`.
    pub function: String,
    /// Environments to keep warm.
    pub concurrency: usize,
}

impl Config for WarmerConfig {
    const FUNCTION: &'static str = "warmer";

    fn read(reader: &mut Reader) -> Self {
        let telemetry = outside(reader);
        if reader.given("WARM_TARGETS").is_none() {
            reader.fault("WARM_TARGETS", "is missing: set it");
        }
        Self {
            telemetry,
            targets: reader.json("WARM_TARGETS"),
        }
    }
}
