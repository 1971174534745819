//! The Lambda Runtime API, as much of it as the first invocation takes.
//!
//! On bare sockets and in the thread that measures: an HTTP server would add its own time to every
//! program alike and so make the ratio between two of them look better than it is.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const NEXT: &str = "GET /2018-06-01/runtime/invocation/next ";
const RESPONSE: &str = "POST /2018-06-01/runtime/invocation/first/response ";
const TIMEOUT: Duration = Duration::from_secs(15);

/// What a function answered, and when the whole of it had arrived.
pub(super) struct Answer {
    pub(super) at: Instant,
    pub(super) body: Vec<u8>,
}

/// Gives one event to whoever asks first, and waits for the answer to it.
///
/// # Errors
/// The function reports an error, or says something that this server does not know.
pub(super) async fn first_answer(listener: &TcpListener, event: &[u8]) -> Result<Answer> {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => connections.push(serve(accepted?.0, event)),
            Some(ended) = connections.next() => if let Some(answer) = ended? {
                return Ok(answer);
            },
        }
    }
}

async fn serve(socket: TcpStream, event: &[u8]) -> Result<Option<Answer>> {
    socket.set_nodelay(true)?;
    let mut stream = BufReader::new(socket);
    while let Some(request) = Request::read(&mut stream).await? {
        let at = Instant::now();
        if request.line.starts_with(NEXT) {
            stream.write_all(&invocation(event)).await?;
        } else if request.line.starts_with(RESPONSE) {
            let body = request.body;
            return Ok(Some(Answer { at, body }));
        } else {
            let body = String::from_utf8_lossy(&request.body);
            bail!("it said `{}` {body}", request.line.trim());
        }
    }
    Ok(None)
}

fn invocation(event: &[u8]) -> Vec<u8> {
    let deadline = shared::clock::now() + TIMEOUT;
    let head = format!(
        "HTTP/1.1 200 OK\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         lambda-runtime-aws-request-id: first\r\n\
         lambda-runtime-deadline-ms: {}\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:000000000000:function:bench\r\n\
         \r\n",
        event.len(),
        deadline.unix_timestamp() * 1_000,
    );
    [head.as_bytes(), event].concat()
}

struct Request {
    line: String,
    body: Vec<u8>,
}

impl Request {
    /// The next request of a connection; none at its end.
    async fn read(stream: &mut BufReader<TcpStream>) -> Result<Option<Self>> {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let mut length = 0;
        let mut header = String::new();
        while stream.read_line(&mut header).await? > 0 {
            let Some((name, value)) = header.trim_end().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().context("Not a length.")?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                bail!("it streams its answer, which cannot be measured");
            }
            header.clear();
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        Ok(Some(Self { line, body }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn listener() -> (TcpListener, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        (listener, client)
    }

    #[tokio::test]
    async fn an_event_is_given_and_its_answer_taken() {
        let (listener, mut client) = listener().await;
        let function = async {
            client
                .write_all(format!("{NEXT}HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let mut given = vec![0; 1024];
            let length = client.read(&mut given).await.unwrap();
            assert!(given[..length].ends_with(b"\r\n\r\n{\"a\":1}"));
            client
                .write_all(
                    format!("{RESPONSE}HTTP/1.1\r\nContent-Length: 4\r\n\r\ntrue").as_bytes(),
                )
                .await
                .unwrap();
        };
        let (answer, ()) = tokio::join!(first_answer(&listener, b"{\"a\":1}"), function);
        assert_eq!(answer.unwrap().body, b"true");
    }

    #[tokio::test]
    async fn a_reported_error_is_no_answer() {
        let (listener, mut client) = listener().await;
        let report = "POST /2018-06-01/runtime/invocation/first/error HTTP/1.1\r\n\
                      content-length: 5\r\n\r\nbroke";
        client.write_all(report.as_bytes()).await.unwrap();
        let error = first_answer(&listener, b"{}").await.err().unwrap();
        assert!(error.to_string().contains("broke"), "{error}");
    }
}
