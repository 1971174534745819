//! `key-rotator`: rotates the signing keys and the functions' database logins, when Secrets
//! Manager asks for it.
//!
//! Each step finds out what was done already, so it may be repeated, and killed anywhere.
#![recursion_limit = "256"]

mod login;
mod ring;

use lambda_runtime::Error;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::config::KeyRotatorConfig;
use shared::events::{Rotation, Step};
use shared::providers::secrets::{Described, Stage, Version};
use shared::resilience::CallError;
use shared::state::KeyRotator;

/// What this function has at hand.
pub type AppState = shared::state::AppState<KeyRotator>;

/// Does one step of a rotation. Answers what came of it.
///
/// # Errors
/// The step could not be done; Secrets Manager begins anew with the first one.
pub async fn rotate(state: AppState, rotation: Rotation) -> Result<Value, Error> {
    let (secret, step, version) = (&rotation.secret_id, rotation.step.name(), &rotation.version);
    let done = run(&state, &rotation).await;
    match &done {
        Ok(outcome) => {
            tracing::info!(secret, step, version, outcome = outcome.as_str(), "rotated");
        }
        Err(error) => {
            let error = shared::telemetry::chain(error);
            tracing::error!(
                secret,
                step,
                version,
                error,
                "the step of a rotation failed"
            );
        }
    }
    Ok(json!({ "outcome": done?.as_str() }))
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was done.
    Done,
    /// Nothing was left to do.
    DoneBefore,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::DoneBefore => "done before",
        }
    }
}

/// Why a step was not done. Names secrets and versions, and never a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotationError {
    /// The secret is none that this function rotates.
    #[error("{0} is neither the ring of signing keys nor the login of a function")]
    Foreign(String),
    /// The version is neither pending nor current: its rotation was given up.
    #[error("the version is not pending")]
    NotPending,
    /// There is no current value to go on from.
    #[error("the secret has no {0} value of the expected shape")]
    Shape(&'static str),
    /// The step before was not done.
    #[error("the pending version has no value")]
    NoValue,
    /// Secrets Manager is away or refuses.
    #[error("Secrets Manager did not do it")]
    Secrets(#[from] CallError<shared::providers::AwsError>),
    /// The database is away or refuses.
    #[error("the database did not do it")]
    Database(#[from] shared::store::StoreError),
    /// The system has no randomness to give.
    #[error("the system has no randomness to give")]
    NoRandomness,
    /// What was made does not do what it is for.
    #[error("{0}")]
    Untrue(&'static str),
}

/// A rotation and what it is about.
pub(crate) struct Work<'a> {
    pub(crate) state: &'a AppState,
    pub(crate) rotation: &'a Rotation,
    pub(crate) described: Described,
}

/// What a secret holds.
enum Kind<'a> {
    Ring,
    /// The login of the function with this group role.
    Login(String),
    Foreign(&'a str),
}

async fn run(state: &AppState, rotation: &Rotation) -> Result<Outcome, RotationError> {
    let described = state.versions.describe(&rotation.secret_id).await?;
    let work = Work {
        state,
        rotation,
        described,
    };
    if work.described.is_at(&rotation.version, Stage::Current) {
        return Ok(Outcome::DoneBefore);
    }
    if !work.described.is_at(&rotation.version, Stage::Pending) {
        return Err(RotationError::NotPending);
    }
    match kind(&state.config, &work.described.name) {
        Kind::Foreign(name) => Err(RotationError::Foreign(name.to_owned())),
        _ if rotation.step == Step::FinishSecret => work.finish().await,
        Kind::Ring => ring::step(&work).await,
        Kind::Login(role) => login::step(&work, &role).await,
    }
}

fn kind<'a>(config: &KeyRotatorConfig, name: &'a str) -> Kind<'a> {
    let logins = format!("holdfast/{}/db/", config.base.stage);
    match name.strip_prefix(&logins) {
        _ if name == config.jwt_private => Kind::Ring,
        Some(function) => Kind::Login(function.replace('-', "_")),
        None => Kind::Foreign(name),
    }
}

impl Work<'_> {
    /// The value that is in use.
    pub(crate) async fn current(&self) -> Result<SecretString, RotationError> {
        let current = Version::At(Stage::Current);
        let value = self
            .state
            .versions
            .value(&self.rotation.secret_id, current)
            .await?;
        value.ok_or(RotationError::Shape("current"))
    }

    /// The value that this rotation has made, if it has.
    pub(crate) async fn pending(&self) -> Result<Option<SecretString>, RotationError> {
        let pending = Version::Id(&self.rotation.version);
        Ok(self
            .state
            .versions
            .value(&self.rotation.secret_id, pending)
            .await?)
    }

    /// Stores what this rotation has made. What it stored before stays.
    pub(crate) async fn store(&self, value: SecretString) -> Result<Outcome, RotationError> {
        let Rotation {
            secret_id, version, ..
        } = self.rotation;
        self.state
            .versions
            .add_pending(secret_id, version, &value)
            .await?;
        Ok(Outcome::Done)
    }

    async fn finish(&self) -> Result<Outcome, RotationError> {
        if self.pending().await?.is_none() {
            return Err(RotationError::NoValue);
        }
        let present = self.described.version_at(Stage::Current);
        let Rotation {
            secret_id, version, ..
        } = self.rotation;
        self.state
            .versions
            .promote(secret_id, version, present)
            .await?;
        Ok(Outcome::Done)
    }
}
