//! Every fault against a dependency in the same process.

mod bytes;
mod control;
mod requests;
mod startup;

use super::dependency::Dependency;
use super::kind::Kind;
use super::proxy::Proxy;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for loopback, short enough to wait for nothing.
const SILENCE: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(5);

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A server that says what it hears.
async fn echo() -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await.ok();
            });
        }
    });
    address
}

async fn proxy_of(dependency: Dependency, upstream: SocketAddr) -> Arc<Proxy> {
    let anywhere = (Ipv4Addr::LOCALHOST, 0).into();
    Proxy::start(dependency, anywhere, upstream).await.unwrap()
}

async fn proxy_of_echo(dependency: Dependency) -> Arc<Proxy> {
    proxy_of(dependency, echo().await).await
}

impl Proxy {
    async fn begin(self: &Arc<Self>, kind: Kind) {
        self.change(Some(kind), None).await.unwrap();
    }

    async fn heal(self: &Arc<Self>) {
        self.change(None, None).await.unwrap();
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.listen).await
    }
}

/// What comes next; empty at the end of the connection.
async fn hear(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut heard = vec![0; 64 * 1024];
    let bytes = tokio::time::timeout(PATIENCE, stream.read(&mut heard))
        .await
        .expect("nothing comes, not even an end")?;
    heard.truncate(bytes);
    Ok(heard)
}

/// Whether nothing comes at all.
async fn is_silent(stream: &mut TcpStream) -> bool {
    let mut heard = [0; 16];
    tokio::time::timeout(SILENCE, stream.read(&mut heard))
        .await
        .is_err()
}

async fn say(stream: &mut TcpStream, words: &str) {
    stream.write_all(words.as_bytes()).await.unwrap();
}

/// Says something and hears it again.
async fn is_echoed(stream: &mut TcpStream, words: &str) -> bool {
    say(stream, words).await;
    hear(stream)
        .await
        .is_ok_and(|heard| heard == words.as_bytes())
}

fn is_reset<T>(outcome: io::Result<T>) -> bool {
    outcome.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset)
}
