//! One connection, from its acceptance to its end.

use super::dependency::Protocol;
use super::flow::{End, Flow};
use super::proxy::Proxy;
use super::{engine, postgres};
use bytes::BytesMut;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What an HTTP engine and the connection's flow have between them.
const PIPE_BYTES: usize = 64 * 1024;

/// Carries a connection until either side ends it or a fault does.
pub(super) async fn carry(proxy: &Arc<Proxy>, mut client: TcpStream) {
    let flow = Flow::new(proxy.dependency.protocol(), proxy.fault.subscribe());
    let reset = tokio::select! {
        biased;
        () = flow.cut_off() => true,
        reset = run_to_end(proxy, &flow, &mut client) => reset,
    };
    if reset {
        client.set_zero_linger().ok();
    }
}

/// Answers whether the end is a reset.
async fn run_to_end(proxy: &Arc<Proxy>, flow: &Flow, client: &mut TcpStream) -> bool {
    match connect_and_run(proxy, flow, client).await {
        End::Reset => return true,
        End::Say(words) => {
            client.write_all(&words).await.ok();
            client.shutdown().await.ok();
        }
        End::TooManyConnections(said) => postgres::refuse(client, said).await,
        End::Closed | End::HandOver(_) => {}
    }
    false
}

async fn connect_and_run(proxy: &Arc<Proxy>, flow: &Flow, client: &mut TcpStream) -> End {
    client.set_nodelay(true).ok();
    let Ok(mut upstream) = TcpStream::connect(proxy.upstream).await else {
        return End::Reset;
    };
    upstream.set_nodelay(true).ok();
    let end = flow
        .run(client.split(), upstream.split(), BytesMut::new())
        .await;
    match end {
        End::HandOver(said) => {
            drop(upstream);
            run_engine(proxy, flow, client, said).await
        }
        End::Reset => {
            upstream.set_zero_linger().ok();
            end
        }
        end => end,
    }
}

/// The rest of the connection as HTTP. The engine stands where the dependency stood, so that what
/// bytes can suffer still happens to them.
async fn run_engine(
    proxy: &Arc<Proxy>,
    flow: &Flow,
    client: &mut TcpStream,
    said: BytesMut,
) -> End {
    let Protocol::Http(service) = proxy.dependency.protocol() else {
        return End::Reset;
    };
    let (near, far) = tokio::io::duplex(PIPE_BYTES);
    let broken = async {
        if engine::serve(far, proxy, service).await.is_ok() {
            // The flow still has to deliver the last answer.
            std::future::pending::<()>().await;
        }
    };
    flow.in_engine();
    tokio::select! {
        end = flow.run(client.split(), tokio::io::split(near), said) => end,
        () = broken => End::Reset,
    }
}
