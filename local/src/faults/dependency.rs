//! What the functions depend on, under the names that faults are given by.

use crate::stack::Port;
use std::fmt;
use std::str::FromStr;

/// Something outside of the functions that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dependency {
    /// The node `primary`, whatever its role is now.
    DatabasePrimary,
    /// The node `replica`, whatever its role is now.
    DatabaseReplica,
    /// The node `fallback`, whatever its role is now.
    DatabaseFallback,
    /// DynamoDB.
    DynamoDb,
    /// SQS.
    Sqs,
    /// S3.
    S3,
    /// Secrets Manager.
    SecretsManager,
    /// Secrets Manager of the second region.
    SecretsManagerSecondary,
    /// The payment provider.
    Payments,
    /// SES.
    Mail,
    /// The SMTP server of the second mail provider.
    MailSecondary,
}

/// What is spoken with a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http(Service),
    Postgres,
    Smtp,
}

/// Whose answers are imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    DynamoDb,
    Sqs,
    S3,
    SecretsManager,
    Ses,
    Stripe,
}

/// Named for later; nothing of the stack uses them yet.
const NOT_HERE_YET: [&str; 2] = ["redis", "telemetry"];

impl Dependency {
    /// All of them, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::DatabasePrimary,
        Self::DatabaseReplica,
        Self::DatabaseFallback,
        Self::DynamoDb,
        Self::Sqs,
        Self::S3,
        Self::SecretsManager,
        Self::SecretsManagerSecondary,
        Self::Payments,
        Self::Mail,
        Self::MailSecondary,
    ];

    /// The name in commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::DatabasePrimary => "database-primary",
            Self::DatabaseReplica => "database-replica",
            Self::DatabaseFallback => "database-fallback",
            Self::DynamoDb => "dynamodb",
            Self::Sqs => "sqs",
            Self::S3 => "s3",
            Self::SecretsManager => "secretsmanager",
            Self::SecretsManagerSecondary => "secretsmanager-secondary",
            Self::Payments => "payments",
            Self::Mail => "mail",
            Self::MailSecondary => "mail-secondary",
        }
    }

    /// Where the functions reach it.
    pub fn port(self) -> Port {
        match self {
            Self::DatabasePrimary => Port::FaultsPrimary,
            Self::DatabaseReplica => Port::FaultsReplica,
            Self::DatabaseFallback => Port::FaultsFallback,
            Self::DynamoDb => Port::FaultsDynamoDb,
            Self::Sqs => Port::FaultsSqs,
            Self::S3 => Port::FaultsS3,
            Self::SecretsManager => Port::FaultsSecretsManager,
            Self::SecretsManagerSecondary => Port::FaultsSecretsManagerSecondary,
            Self::Payments => Port::FaultsPayments,
            Self::Mail => Port::FaultsMail,
            Self::MailSecondary => Port::FaultsMailSecondary,
        }
    }

    /// Where it really is.
    pub(super) fn upstream(self) -> Port {
        match self {
            Self::DatabasePrimary => Port::Primary,
            Self::DatabaseReplica => Port::Replica,
            Self::DatabaseFallback => Port::Fallback,
            Self::DynamoDb | Self::Sqs | Self::S3 | Self::SecretsManager | Self::Mail => Port::Aws,
            Self::SecretsManagerSecondary => Port::AwsSecondary,
            Self::Payments => Port::Payments,
            Self::MailSecondary => Port::Smtp,
        }
    }

    pub(super) fn protocol(self) -> Protocol {
        match self {
            Self::DatabasePrimary | Self::DatabaseReplica | Self::DatabaseFallback => {
                Protocol::Postgres
            }
            Self::DynamoDb => Protocol::Http(Service::DynamoDb),
            Self::Sqs => Protocol::Http(Service::Sqs),
            Self::S3 => Protocol::Http(Service::S3),
            Self::SecretsManager | Self::SecretsManagerSecondary => {
                Protocol::Http(Service::SecretsManager)
            }
            Self::Payments => Protocol::Http(Service::Stripe),
            Self::Mail => Protocol::Http(Service::Ses),
            Self::MailSecondary => Protocol::Smtp,
        }
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dependency {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if NOT_HERE_YET.contains(&name) {
            return Err(format!("This stack has no dependency `{name}` yet."));
        }
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("There is no dependency `{name}`. There are: {names}.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for dependency in Dependency::ALL {
            assert_eq!(dependency.name().parse(), Ok(dependency));
        }
    }

    #[test]
    fn unknown_name_is_answered_with_the_known_ones_and_a_future_one_with_a_plain_no() {
        let unknown = "postgres".parse::<Dependency>().unwrap_err();
        assert!(
            Dependency::ALL
                .iter()
                .all(|known| unknown.contains(known.name())),
            "{unknown}"
        );
        for name in NOT_HERE_YET {
            let future = name.parse::<Dependency>().unwrap_err();
            assert_eq!(
                future,
                format!("This stack has no dependency `{name}` yet.")
            );
        }
    }
}
