//! The long-lived servers that `up` starts this program as.

use crate::steps::services::API_ID_FILE;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use local::front::{self, Upstream};
use local::{Port, Stack};
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
}

/// Serves until it is stopped.
///
/// # Errors
/// The port is taken.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    match options.server {
        Server::Front => serve_front(stack).await,
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

fn loopback(stack: &Stack, port: Port) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, stack.port(port)).into()
}
