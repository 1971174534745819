//! The long-lived servers that `up` starts this program as.

use crate::steps::services::{self, API_ID_FILE};
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use local::front::{self, Upstream};
use local::{Port, Stack, faults, payments};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::net::TcpListener;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    server: Server,
}

#[derive(Subcommand)]
enum Server {
    /// The API's one address
    Front,
    /// The payment sandbox
    Payments,
    /// The fault proxy
    Faults,
}

/// Serves until it is stopped.
///
/// # Errors
/// The port is taken.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    match options.server {
        Server::Front => serve_front(stack).await,
        Server::Payments => serve_payments(stack).await,
        Server::Faults => faults::serve(stack).await,
    }
}

async fn serve_front(stack: &Stack) -> Result<()> {
    let address = loopback(stack, Port::Front);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("Cannot listen on {address}."))?;
    let upstream = Upstream {
        address: loopback(stack, Port::Aws),
        api_id_file: stack.path(API_ID_FILE),
    };
    front::serve(listener, upstream).await
}

async fn serve_payments(stack: &Stack) -> Result<()> {
    let keys = services::payment_keys(stack)?;
    let webhook = format!("{}/api/v1/webhooks/stripe", stack.url(Port::Front));
    payments::serve(payments::Options {
        listen: loopback(stack, Port::Payments),
        data_dir: stack.path("payments"),
        secret_key: keys.secret_key,
        webhook: Some((webhook, keys.webhook_secret)),
    })
    .await
}

fn loopback(stack: &Stack, port: Port) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, stack.port(port)).into()
}
