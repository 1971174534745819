//! The versions of a secret and their stages, as a rotation works on them. In the first region
//! only: a replica takes no writes.

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use secrecy::{ExposeSecret, SecretString};

use crate::providers::AwsError;
use crate::resilience::{CallError, Intent, call};

/// What a version of a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// In use.
    Current,
    /// What a rotation is making.
    Pending,
    /// In use before the last rotation.
    Previous,
    /// The mark of an operator: whatever this version held has leaked.
    Revoked,
}

impl Stage {
    /// The stages whose value may work, the likeliest first.
    pub const ALL: [Self; 3] = [Self::Current, Self::Pending, Self::Previous];

    /// Its staging label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "AWSCURRENT",
            Self::Pending => "AWSPENDING",
            Self::Previous => "AWSPREVIOUS",
            Self::Revoked => "REVOKED",
        }
    }
}

/// Which version of a secret is meant.
#[derive(Debug, Clone, Copy)]
pub enum Version<'a> {
    /// The one with this id.
    Id(&'a str),
    /// The one at this stage.
    At(Stage),
}

/// A secret without its values.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// The labels of each version, by the version's id.
    labels: HashMap<String, Vec<String>>,
}

impl Described {
    /// Whether a version is at a stage.
    pub fn is_at(&self, version: &str, stage: Stage) -> bool {
        let labels = self.labels.get(version);
        labels.is_some_and(|labels| labels.iter().any(|label| label == stage.as_str()))
    }

    /// The version at a stage.
    pub fn version_at(&self, stage: Stage) -> Option<&str> {
        let mut versions = self.labels.keys();
        versions
            .find(|version| self.is_at(version, stage))
            .map(String::as_str)
    }
}

/// Looks at versions of secrets, adds them and moves their stages.
#[derive(Debug, Clone)]
pub struct SecretVersions {
    client: Client,
}

impl SecretVersions {
    /// Works through `aws`.
    pub fn new(aws: &SdkConfig) -> Self {
        Self {
            client: Client::new(aws),
        }
    }

    /// The name and the versions of the secret with this name or ARN.
    ///
    /// # Errors
    /// Secrets Manager is away or refuses.
    pub async fn describe(&self, id: &str) -> Result<Described, CallError<AwsError>> {
        let output = call(Intent::SecretRead, || async {
            let describe = self.client.describe_secret().secret_id(id);
            describe.send().await.map_err(AwsError::from)
        })
        .await?;
        Ok(Described {
            name: output.name.unwrap_or_default(),
            labels: output.version_ids_to_stages.unwrap_or_default(),
        })
    }

    /// The value of a version; none where there is no such version, or none yet in it.
    ///
    /// # Errors
    /// Secrets Manager is away or refuses.
    pub async fn value(
        &self,
        id: &str,
        version: Version<'_>,
    ) -> Result<Option<SecretString>, CallError<AwsError>> {
        let output = call(Intent::SecretRead, || async {
            let get = self.client.get_secret_value().secret_id(id);
            let get = match version {
                Version::Id(version) => get.version_id(version),
                Version::At(stage) => get.version_stage(stage.as_str()),
            };
            get.send().await.map_err(AwsError::from)
        });
        match output.await {
            Ok(output) => Ok(output.secret_string.map(SecretString::from)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the pending version `version` its value. One that has a value keeps it.
    ///
    /// # Errors
    /// Secrets Manager is away or refuses.
    pub async fn add_pending(
        &self,
        id: &str,
        version: &str,
        value: &SecretString,
    ) -> Result<(), CallError<AwsError>> {
        let added = call(Intent::SecretWrite, || async {
            let put = self.client.put_secret_value().secret_id(id);
            let put = put.client_request_token(version);
            let put = put.version_stages(Stage::Pending.as_str());
            let put = put.secret_string(value.expose_secret());
            put.send().await.map(drop).map_err(AwsError::from)
        });
        match added.await {
            Err(error) if has_code(&error, "ResourceExistsException") => Ok(()),
            answer => answer,
        }
    }

    /// Gives a secret a new value at once, in a version of its own.
    ///
    /// # Errors
    /// Secrets Manager is away or refuses.
    pub async fn replace(&self, id: &str, value: &str) -> Result<(), CallError<AwsError>> {
        call(Intent::SecretWrite, || async {
            let put = self.client.put_secret_value().secret_id(id);
            let put = put.secret_string(value);
            put.send().await.map(drop).map_err(AwsError::from)
        })
        .await
    }

    /// Makes `version` the current one in place of `present`. The same call ends its being
    /// pending; a call of its own for that would tell Secrets Manager that the rotation failed.
    ///
    /// # Errors
    /// Secrets Manager is away or refuses, for instance because `present` is current no more.
    pub async fn promote(
        &self,
        id: &str,
        version: &str,
        present: Option<&str>,
    ) -> Result<(), CallError<AwsError>> {
        call(Intent::SecretWrite, || async {
            let update = self.client.update_secret_version_stage().secret_id(id);
            let update = update.version_stage(Stage::Current.as_str());
            let update = update.move_to_version_id(version);
            let update = update.set_remove_from_version_id(present.map(ToOwned::to_owned));
            update.send().await.map(drop).map_err(AwsError::from)
        })
        .await
    }
}

/// Whether the secret has no such version, or that version no value yet.
pub(super) fn is_absent(error: &CallError<AwsError>) -> bool {
    has_code(error, "ResourceNotFoundException")
}

fn has_code(error: &CallError<AwsError>, code: &str) -> bool {
    matches!(error, CallError::Failed { source, .. } if source.code == code)
}
