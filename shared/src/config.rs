//! The only reader of the environment. Parsed once, every fault reported together.

mod reader;
mod second;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use reader::Reader;
pub use second::{SecretsReplica, Smtp};
use serde::Deserialize;

use crate::domain::address::Country;
use crate::domain::limits::Allowance;
use crate::domain::money::Currency;

/// Everything that a function is told from outside.
#[derive(Debug, Clone)]
pub struct Config {
    /// `local`, `prod`, …
    pub stage: String,
    /// Where the database is.
    pub database: DatabaseConfig,
    /// Names of secrets; a function's role can read only its own.
    pub secrets: SecretIds,
    /// Where secrets are read while their first region is away.
    pub secrets_replica: Option<SecretsReplica>,
    /// The second mail provider.
    pub smtp: Option<Smtp>,
    /// The identity that SES sends as, for readiness.
    pub mail_identity: Option<String>,
    /// The `iss` of access tokens.
    pub token_issuer: String,
    /// The `aud` of access tokens.
    pub token_audience: String,
    /// The payment provider's origin.
    pub payments_url: String,
    /// The table of carts.
    pub carts_table: String,
    /// The table of sessions.
    pub sessions_table: String,
    /// The table of kill switches and breakers.
    pub control_table: String,
    /// The table of rate limits.
    pub limits_table: String,
    /// How much of what one caller may do.
    pub allowance: Allowance,
    /// The table of orders that were accepted without the database.
    pub intents_table: String,
    /// The queue of orders and payments.
    pub orders_queue_url: String,
    /// The queue of mail.
    pub mail_queue_url: String,
    /// The queue of what the last-good catalogue must follow.
    pub catalogue_queue_url: String,
    /// Pictures.
    pub media: MediaConfig,
    /// The bucket of the last-good catalogue.
    pub catalogue_bucket: String,
    /// The shop itself.
    pub shop: ShopConfig,
    /// How old a cached read may be.
    pub cache_ttl: Duration,
    /// Origins that browsers may call from; `*` for any.
    pub cors_allowed_origins: Vec<String>,
    /// What the warmer keeps warm; empty elsewhere.
    pub warm_targets: Vec<WarmTarget>,
}

/// Where the database is. Hosts are candidates; the role of each is discovered.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// At least one node, in order of preference.
    pub hosts: Vec<DatabaseHost>,
    /// The database's name.
    pub name: String,
    /// Whether connections are encrypted and the server's name is checked.
    pub tls: bool,
    /// Connections per environment and node.
    pub pool_max: u32,
    /// How long a connection may be idle.
    pub pool_idle: Duration,
    /// How long one attempt to get a connection may take.
    pub connect_timeout: Duration,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseHost {
    /// Name or address.
    pub host: String,
    /// Port, 5432 by default.
    pub port: u16,
}

/// Names of secrets.
#[derive(Debug, Clone)]
pub struct SecretIds {
    /// The database login.
    pub database: String,
    /// The ring of signing keys, private halves included.
    pub jwt_private: String,
    /// The public half of that ring.
    pub jwt_public: String,
    /// The key that refresh tokens' successors are made with.
    pub session_key: String,
    /// The key that second factors are sealed with.
    pub totp_key: String,
    /// The payment provider's keys.
    pub stripe: String,
}

/// Pictures.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// The bucket.
    pub bucket: String,
    /// Where browsers read pictures.
    pub base_url: String,
    /// Where browsers upload, if not the bucket's own address.
    pub upload_url: Option<String>,
}

/// The shop itself.
#[derive(Debug, Clone)]
pub struct ShopConfig {
    /// Shown in mails.
    pub name: String,
    /// Links in mails start with it.
    pub url: String,
    /// The one currency.
    pub currency: Currency,
    /// Where a cart is priced for before an address is known.
    pub country: Country,
    /// The sender of mails.
    pub mail_from: String,
}

/// A function's alias, and how many environments of it are kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WarmTarget {
    /// `name:alias`.
    pub function: String,
    /// Environments to keep warm.
    pub concurrency: usize,
}

/// Every fault of an environment, one per line.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigFaults(pub Vec<String>);

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the configuration has {} fault(s): {}",
            self.0.len(),
            self.0.join("; ")
        )
    }
}

impl std::error::Error for ConfigFaults {}

impl Config {
    /// Reads the environment.
    ///
    /// # Errors
    /// Every fault there is, each naming the variable and what is expected.
    #[expect(clippy::disallowed_methods, reason = "This is the one place.")]
    pub fn from_env() -> Result<Self, ConfigFaults> {
        Self::parse(std::env::vars().collect())
    }

    /// Reads `variables` instead of the environment.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn parse(variables: BTreeMap<String, String>) -> Result<Self, ConfigFaults> {
        let mut reader = Reader::new(variables);
        let config = Self::read(&mut reader);
        match (config, reader.faults) {
            (Some(config), faults) if faults.is_empty() => Ok(config),
            (_, faults) => Err(ConfigFaults(faults)),
        }
    }

    fn read(reader: &mut Reader) -> Option<Self> {
        let stage = reader.text("STAGE");
        // Every part is read before the first `?`, so that all faults are found in one go.
        let database = DatabaseConfig::read(reader);
        let secrets = SecretIds::read(reader, stage.as_deref().unwrap_or_default());
        let secrets_replica = SecretsReplica::read(reader);
        let smtp = Smtp::read(reader, stage.as_deref().unwrap_or_default());
        let mail_identity = reader.given("MAIL_IDENTITY");
        let media = MediaConfig::read(reader);
        let shop = ShopConfig::read(reader);
        let token_issuer = reader.text("TOKEN_ISSUER");
        let token_audience = reader.text("TOKEN_AUDIENCE");
        let payments_url = reader.text_or("STRIPE_BASE_URL", "https://api.stripe.com");
        let tables = (
            reader.text("CARTS_TABLE"),
            reader.text("SESSIONS_TABLE"),
            reader.text("LIMITS_TABLE"),
        );
        let allowance = Allowance {
            per_user: reader.positive("LIMIT_PER_USER", 100),
            per_address: reader.positive("LIMIT_PER_ADDRESS", 20),
        };
        let control_table = reader.text("CONTROL_TABLE");
        let intents_table = reader.text("INTENTS_TABLE");
        let queues = (
            reader.text("ORDERS_QUEUE_URL"),
            reader.text("MAIL_QUEUE_URL"),
            reader.text("CATALOGUE_QUEUE_URL"),
        );
        let catalogue_bucket = reader.text("CATALOGUE_BUCKET");
        let cache_ttl = reader.number("GW_CACHE_TTL", 30);
        let cors_allowed_origins = reader.list("CORS_ALLOWED_ORIGINS");
        let warm_targets = reader.json("WARM_TARGETS");
        Some(Self {
            stage: stage?,
            database: database?,
            secrets,
            secrets_replica,
            smtp,
            mail_identity,
            token_issuer: token_issuer?,
            token_audience: token_audience?,
            payments_url,
            carts_table: tables.0?,
            sessions_table: tables.1?,
            control_table: control_table?,
            limits_table: tables.2?,
            allowance,
            intents_table: intents_table?,
            orders_queue_url: queues.0?,
            mail_queue_url: queues.1?,
            catalogue_queue_url: queues.2?,
            media: media?,
            catalogue_bucket: catalogue_bucket?,
            shop: shop?,
            cache_ttl: Duration::from_secs(cache_ttl),
            cors_allowed_origins,
            warm_targets,
        })
    }
}

impl DatabaseConfig {
    fn read(reader: &mut Reader) -> Option<Self> {
        let hosts = reader.hosts();
        let name = reader.text_or("DB_NAME", "holdfast");
        let tls = match reader.text_or("DB_SSLMODE", "verify-full").as_str() {
            "verify-full" => true,
            "disable" => false,
            _ => reader.fault(
                "DB_SSLMODE",
                "must be verify-full, or disable on a local stack",
            )?,
        };
        let pool_max = reader.number("PG_POOL_MAX", 2);
        let pool_idle = Duration::from_secs(reader.number("PG_POOL_IDLE", 300));
        let connect_timeout = Duration::from_millis(reader.number("PG_CONN_TIMEOUT", 1_000));
        if pool_max == 0 {
            reader.fault::<()>("PG_POOL_MAX", "must be at least 1");
        }
        Some(Self {
            hosts: hosts?,
            name,
            tls,
            pool_max,
            pool_idle,
            connect_timeout,
        })
    }
}

impl SecretIds {
    fn read(reader: &mut Reader, stage: &str) -> Self {
        let mut id = |variable, name| reader.text_or(variable, &format!("holdfast/{stage}/{name}"));
        Self {
            database: id("DB_SECRET_ID", "db"),
            jwt_private: id("JWT_PRIVATE_SECRET_ID", "jwt-private"),
            jwt_public: id("JWT_PUBLIC_SECRET_ID", "jwt-public"),
            session_key: id("SESSION_SECRET_ID", "session-key"),
            totp_key: id("TOTP_SECRET_ID", "totp-key"),
            stripe: id("STRIPE_SECRET_ID", "stripe"),
        }
    }
}

impl MediaConfig {
    fn read(reader: &mut Reader) -> Option<Self> {
        let bucket = reader.text("MEDIA_BUCKET");
        let base_url = reader.text("MEDIA_BASE_URL");
        let upload_url = reader.given("MEDIA_UPLOAD_URL");
        Some(Self {
            bucket: bucket?,
            base_url: base_url?,
            upload_url,
        })
    }
}

impl ShopConfig {
    fn read(reader: &mut Reader) -> Option<Self> {
        let name = reader.text_or("SHOP_NAME", "Holdfast");
        let url = reader.text("SHOP_URL");
        let mail_from = reader.text("MAIL_FROM");
        let currency = reader.parsed("SHOP_CURRENCY", "EUR", |code| Currency::try_from(code));
        let country = reader.parsed("SHOP_COUNTRY", "DE", |code| Country::try_from(code));
        Some(Self {
            name,
            url: url?,
            currency: currency?,
            country: country?,
            mail_from: mail_from?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
