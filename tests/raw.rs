//! A request byte for byte, for what no HTTP client would send.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer, as far as it was read.
#[derive(Debug, Clone)]
pub struct RawAnswer {
    /// The status; 0 when the connection was closed without an answer.
    pub status: u16,
    /// All of it.
    pub text: String,
}

/// Sends a request line and header lines, none with its line end, to an origin such as
/// `http://127.0.0.1:27800`.
///
/// # Panics
/// Nobody listens there, or no answer comes within ten seconds.
pub async fn exchange(origin: &str, request_line: &str, headers: &[String]) -> RawAnswer {
    let authority = origin.trim_start_matches("http://");
    let mut lines = vec![request_line.to_owned(), format!("host: {authority}")];
    lines.extend_from_slice(headers);
    lines.push("connection: close\r\n\r\n".to_owned());
    let request = lines.join("\r\n");
    let answer = async {
        let mut connection = TcpStream::connect(authority).await.unwrap();
        // Whoever refuses a request need not read all of it, and may answer by closing.
        let _ = connection.write_all(request.as_bytes()).await;
        let mut bytes = Vec::new();
        let _ = connection.read_to_end(&mut bytes).await;
        bytes
    };
    let limit = std::time::Duration::from_secs(10);
    let bytes = tokio::time::timeout(limit, answer).await;
    let text = String::from_utf8_lossy(&bytes.expect("no answer came")).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    RawAnswer {
        status: status.unwrap_or_default(),
        text,
    }
}
