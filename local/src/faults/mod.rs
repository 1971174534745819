//! The fault proxy: stands between the functions and everything that they depend on, and lets a
//! dependency fail when it is told to. Without a fault it passes bytes on and looks at none.
//!
//! Only the functions' own traffic takes this way. The emulator's polling of queues, the
//! replication between nodes and the command line reach everything directly.

mod answers;
mod carry;
pub mod control;
mod dependency;
mod engine;
mod flow;
mod kind;
mod postgres;
mod proxy;

pub use dependency::Dependency;
pub use kind::{ALLOWED, Kind, span};

use crate::stack::{Port, Stack};
use anyhow::{Context, Result};
use proxy::Proxy;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Its process name.
pub const NAME: &str = "faults";

/// Serves until the process ends. The control listens last, so that whoever reaches it knows that
/// everything else does.
///
/// # Errors
/// A port is taken, or the control's listener fails.
pub async fn serve(stack: &Stack) -> Result<()> {
    // Each environment of a function has a handful of connections, and each of those takes two.
    crate::process::raise_open_files();
    let mut proxies = Vec::new();
    for dependency in Dependency::ALL {
        let listen = loopback(stack, dependency.port());
        let upstream = loopback(stack, dependency.upstream());
        let proxy = Proxy::start(dependency, listen, upstream).await;
        proxies.push(proxy.with_context(|| format!("Cannot listen on {listen}."))?);
    }
    let address = loopback(stack, Port::Faults);
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("Cannot listen on {address}."))?;
    axum::serve(listener, control::router(Arc::new(proxies)))
        .await
        .context("The control's listener failed.")
}

fn loopback(stack: &Stack, port: Port) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, stack.port(port)).into()
}

#[cfg(test)]
mod tests;
