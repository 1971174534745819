//! What a function has at hand: built once at cold start, cheap to clone.
//!
//! Each function has parts of its own (`functions.rs`), made of what several stand on (`bases.rs`).
//! What stands on something else derefs to it, so a handler finds `state.database` wherever its
//! function has one, an operation asks for no more than it uses, and neither can reach what the
//! function was not configured with.

mod bases;
mod functions;

use std::ops::Deref;
use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, SdkConfig};

pub use bases::{Base, Edge, Selling, Shelf};
pub use functions::{
    Auth, Checkout, DlqReplayer, KeyRotator, Mailer, Ops, OrderWorker, Products, Projector,
    Sweeper, Warmer,
};

use crate::config::Config;
use crate::providers::aws_http_client;

/// What one function has at hand. Nothing here connects before it is used.
pub trait Parts: Send + Sync + Sized + 'static {
    /// What they are made of.
    type Config: Config;

    /// Puts them together on clients' settings that are already there. Reaches nothing outside.
    fn assemble(config: Self::Config, aws: &SdkConfig) -> Self;
}

/// A cheap handle on a function's parts.
pub struct AppState<P>(Arc<P>);

impl<P> Clone for AppState<P> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<P> Deref for AppState<P> {
    type Target = P;

    fn deref(&self) -> &P {
        &self.0
    }
}

impl<P: Parts> AppState<P> {
    /// Builds every part. Reaches nothing outside.
    pub async fn build(config: P::Config) -> Self {
        // Retries are ours, in one layer.
        let aws = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(RetryConfig::disabled())
            .http_client(aws_http_client())
            .load()
            .await;
        Self::assemble(config, &aws)
    }

    /// Builds every part on clients' settings that are already there.
    pub fn assemble(config: P::Config, aws: &SdkConfig) -> Self {
        Self(Arc::new(P::assemble(config, aws)))
    }
}

/// Starts a function: crypto, logs, configuration, state. Refuses to start on a fault.
///
/// # Errors
/// Every fault of the configuration, in one message.
pub async fn start<P: Parts>() -> Result<AppState<P>, lambda_runtime::Error> {
    crate::telemetry::start();
    // Two providers are linked into no binary, but rustls asks for the choice to be made.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let config = P::Config::from_env()
        .inspect_err(|faults| tracing::error!(error = %faults, "refusing to start"))?;
    Ok(Box::pin(AppState::build(config)).await)
}
