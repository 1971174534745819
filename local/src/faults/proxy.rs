//! One dependency's proxy: its listener, its connections, and the fault in force.

use super::carry;
use super::dependency::Dependency;
use super::kind::Kind;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// After it a port that does not open or close, or a connection that does not end, is a defect.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(5);

/// The proxy of one dependency.
pub(super) struct Proxy {
    pub(super) dependency: Dependency,
    /// Where the functions reach it.
    pub(super) listen: SocketAddr,
    /// Where the dependency is.
    pub(super) upstream: SocketAddr,
    /// The fault in force; every connection watches it.
    pub(super) fault: watch::Sender<Option<Kind>>,
    listening: watch::Sender<bool>,
    connections: watch::Sender<usize>,
    /// One change at a time, and which one it was.
    changes: tokio::sync::Mutex<u64>,
    until: Mutex<Option<Instant>>,
}

impl Proxy {
    /// Listens at `listen` and passes on to `upstream`, without a fault.
    pub(super) async fn start(
        dependency: Dependency,
        listen: SocketAddr,
        upstream: SocketAddr,
    ) -> io::Result<Arc<Self>> {
        let listener = bound(listen)?.listen(BACKLOG)?;
        let proxy = Arc::new(Self {
            dependency,
            listen: listener.local_addr()?,
            upstream,
            fault: watch::Sender::new(None),
            listening: watch::Sender::new(true),
            connections: watch::Sender::new(0),
            changes: tokio::sync::Mutex::new(0),
            until: Mutex::new(None),
        });
        tokio::spawn(accept(Arc::clone(&proxy), listener));
        Ok(proxy)
    }

    /// Puts a fault in force, or heals with `None`. It is in force when this returns, for new and
    /// for open connections.
    ///
    /// # Errors
    /// The port cannot be opened or closed.
    pub(super) async fn change(
        self: &Arc<Self>,
        fault: Option<Kind>,
        lasts: Option<Duration>,
    ) -> Result<(), String> {
        let mut changes = self.changes.lock().await;
        *changes += 1;
        self.set(fault, lasts.map(|lasts| Instant::now() + lasts))
            .await?;
        if let Some(lasts) = lasts {
            tokio::spawn(heal_after(Arc::clone(self), lasts, *changes));
        }
        Ok(())
    }

    async fn set(&self, fault: Option<Kind>, until: Option<Instant>) -> Result<(), String> {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
        self.fault.send_replace(fault);
        let refuses = fault == Some(Kind::Refuse);
        let settled = async {
            let listening = |listening: &bool| *listening != refuses;
            self.listening.subscribe().wait_for(listening).await.ok();
            if refuses {
                let none = |open: &usize| *open == 0;
                self.connections.subscribe().wait_for(none).await.ok();
            }
        };
        let what = if refuses { "closed" } else { "opened" };
        tokio::time::timeout(PATIENCE, settled)
            .await
            .map_err(|_| format!("The port {} cannot be {what}.", self.listen))
    }

    /// The fault in force, and how much longer it is.
    pub(super) fn in_force(&self) -> Option<(Kind, Option<Duration>)> {
        let kind = (*self.fault.borrow())?;
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        Some((kind, until.map(|until| until - Instant::now())))
    }
}

/// Heals unless something else was said meanwhile.
async fn heal_after(proxy: Arc<Proxy>, lasts: Duration, change: u64) {
    tokio::time::sleep(lasts).await;
    let latest = proxy.changes.lock().await;
    if *latest == change
        && let Err(error) = proxy.set(None, None).await
    {
        tracing::error!(dependency = %proxy.dependency, error, "not healed");
    }
}

async fn accept(proxy: Arc<Proxy>, mut listener: TcpListener) {
    let mut fault = proxy.fault.subscribe();
    loop {
        let refused = async { drop(fault.wait_for(|now| *now == Some(Kind::Refuse)).await) };
        tokio::select! {
            biased;
            () = refused => {
                drop(listener);
                listener = stay_shut(&proxy).await;
            }
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let open = Open::one(&proxy);
                    tokio::spawn(async move { carry::carry(&open.0, client).await });
                }
                Err(error) => {
                    tracing::warn!(dependency = %proxy.dependency, error = %error, "not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
        }
    }
}

/// Keeps the port without listening until it shall be open again. A port that nobody keeps could
/// be given to somebody's outgoing connection.
async fn stay_shut(proxy: &Proxy) -> TcpListener {
    let mut fault = proxy.fault.subscribe();
    loop {
        let shut = async {
            let socket = bound(proxy.listen)?;
            proxy.listening.send_replace(false);
            drop(fault.wait_for(|now| *now != Some(Kind::Refuse)).await);
            socket.listen(BACKLOG)
        };
        match shut.await {
            Ok(listener) => {
                proxy.listening.send_replace(true);
                return listener;
            }
            Err(error) => {
                tracing::warn!(dependency = %proxy.dependency, error = %error, "the port is lost");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Counts a connection for as long as it is open.
struct Open(Arc<Proxy>);

impl Open {
    fn one(proxy: &Arc<Proxy>) -> Self {
        proxy.connections.send_modify(|open| *open += 1);
        Self(Arc::clone(proxy))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.send_modify(|open| *open -= 1);
    }
}
