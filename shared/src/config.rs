//! The only reader of the environment: one configuration per function, with just what that
//! function uses. Parsed once, every fault reported together.

mod database;
mod edge;
mod functions;
mod given;
mod media;
mod reader;
mod second;
mod shop;
mod stage;
mod telemetry;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use database::{DatabaseConfig, DatabaseHost};
pub use edge::EdgeConfig;
pub use functions::{
    AuthConfig, BaseConfig, CheckoutConfig, DlqReplayerConfig, KeyRotatorConfig, MailerConfig,
    OpsConfig, OrderWorkerConfig, ProductsConfig, ProjectorConfig, SellingConfig, SweeperConfig,
    WarmTarget, WarmerConfig,
};
pub use given::{GivenSecret, GivenSecrets};
pub use media::MediaConfig;
pub use reader::Reader;
pub use second::{SecretsReplica, Smtp};
pub use shop::{MailConfig, PaymentsConfig, QueueUrls, ShopConfig};
pub use stage::Stage;
pub use telemetry::TelemetryConfig;

/// The configuration of one function.
pub trait Config: Sized {
    /// The function, by its folder in `functions`.
    const FUNCTION: &'static str;

    /// Reads what the function uses. What is missing or wrong is noted in `reader`, and what is
    /// returned is of use only if nothing was.
    fn read(reader: &mut Reader) -> Self;

    /// Reads the environment.
    ///
    /// # Errors
    /// Every fault there is, each naming the variable and what is expected.
    #[expect(clippy::disallowed_methods, reason = "This is the one place.")]
    fn from_env() -> Result<Self, ConfigFaults> {
        Self::parse(std::env::vars().collect())
    }

    /// Reads `variables` instead of the environment.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    fn parse(variables: BTreeMap<String, String>) -> Result<Self, ConfigFaults> {
        let mut reader = Reader::new(Self::FUNCTION, variables);
        let config = Self::read(&mut reader);
        if reader.faults.is_empty() {
            Ok(config)
        } else {
            Err(ConfigFaults(reader.faults))
        }
    }
}

/// Every fault of an environment, one per entry.
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

/// A function as whoever checks or documents its configuration sees it.
#[derive(Debug, Clone, Copy)]
pub struct Checked {
    /// By its folder in `functions`.
    pub function: &'static str,
    /// Parses an environment exactly as the function does when it starts.
    pub check: fn(BTreeMap<String, String>) -> Result<(), ConfigFaults>,
    /// The variables that the function looks at.
    pub variables: fn() -> BTreeSet<String>,
}

impl Checked {
    const fn of<C: Config>() -> Self {
        Self {
            function: C::FUNCTION,
            check: |variables| C::parse(variables).map(drop),
            variables: || {
                let mut reader = Reader::new(C::FUNCTION, BTreeMap::new());
                C::read(&mut reader);
                reader.asked
            },
        }
    }
}

/// Every function's configuration.
pub const FUNCTIONS: &[Checked] = &[
    Checked::of::<AuthConfig>(),
    Checked::of::<ProductsConfig>(),
    Checked::of::<CheckoutConfig>(),
    Checked::of::<OpsConfig>(),
    Checked::of::<OrderWorkerConfig>(),
    Checked::of::<MailerConfig>(),
    Checked::of::<ProjectorConfig>(),
    Checked::of::<DlqReplayerConfig>(),
    Checked::of::<SweeperConfig>(),
    Checked::of::<KeyRotatorConfig>(),
    Checked::of::<WarmerConfig>(),
];

#[cfg(test)]
mod production_tests;
#[cfg(test)]
pub(crate) mod tests;
