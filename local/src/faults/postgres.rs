//! As much of PostgreSQL's protocol as its faults need.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The codes of the requests for encryption, which come before the start-up.
const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

/// Whether a client that begins so asks for something: neither more of the start-up nor a farewell.
pub(super) fn begins_statement(said: &[u8]) -> bool {
    said.first()
        .is_some_and(|kind| !matches!(kind, 0 | b'p' | b'X'))
}

/// Answers a start-up with SQLSTATE 53300, as a server without a free slot does.
pub(super) async fn refuse(client: &mut TcpStream, mut said: BytesMut) {
    while is_encryption_request(&said) {
        said.clear();
        if client.write_all(b"N").await.is_err()
            || !matches!(client.read_buf(&mut said).await, Ok(1..))
        {
            return;
        }
    }
    client.write_all(&too_many_connections()).await.ok();
    client.shutdown().await.ok();
}

fn is_encryption_request(said: &[u8]) -> bool {
    let code = said.get(4..8).and_then(|code| code.try_into().ok());
    said.len() == 8
        && code.is_some_and(|code| ENCRYPTION_REQUESTS.contains(&u32::from_be_bytes(code)))
}

fn too_many_connections() -> Vec<u8> {
    let mut fields = Vec::new();
    for field in [
        "SFATAL",
        "VFATAL",
        "C53300",
        "Msorry, too many clients already",
    ] {
        fields.extend_from_slice(field.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    let length = u32::try_from(fields.len() + 4).unwrap_or_default();
    let mut message = vec![b'E'];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(&fields);
    message
}
