//! The front against an upstream in the same process that says what it received.

use super::*;
use std::net::Ipv4Addr;
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

struct Scene {
    front: SocketAddr,
    upstream: SocketAddr,
    api_id_file: PathBuf,
}

impl Drop for Scene {
    fn drop(&mut self) {
        std::fs::remove_file(&self.api_id_file).ok();
    }
}

/// Answers with the request line, the headers and the length of the body.
async fn echo(request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let length = body.collect().await.unwrap().to_bytes().len();
    let mut text = format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        text += &format!("{name}: {}\n", value.to_str().unwrap());
    }
    text += &format!("body: {length}\n");
    (
        [
            ("x-from", "upstream"),
            ("connection", "x-secret"),
            ("x-secret", "1"),
        ],
        text,
    )
        .into_response()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn scene() -> Scene {
    let (listener, upstream) = listen().await;
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(echo)).await });
    front_of(upstream).await
}

async fn front_of(upstream: SocketAddr) -> Scene {
    let (listener, front) = listen().await;
    let api_id_file = std::env::temp_dir().join(format!("holdfast-api-{}", uuid::Uuid::new_v4()));
    write_api_id(&api_id_file, "abc123\n");
    tokio::spawn(serve(
        listener,
        Upstream {
            address: upstream,
            api_id_file: api_id_file.clone(),
        },
    ));
    Scene {
        front,
        upstream,
        api_id_file,
    }
}

fn write_api_id(file: &Path, id: &str) {
    std::fs::write(file, id).unwrap();
}

/// Sends bytes as they are and reads until the other side closes.
async fn send(to: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn the_host_is_the_apis_and_the_address_is_the_peers() {
    let scene = scene().await;
    let answer = send(
        scene.front,
        "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nX-Forwarded-For: 6.6.6.6\r\n\
         X-Holdfast-Client-Address: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n\r\n",
    )
    .await;
    assert!(
        answer.contains(&format!(
            "host: abc123.execute-api.localhost:{}\n",
            scene.upstream.port()
        )),
        "{answer}"
    );
    assert!(
        answer.contains("x-holdfast-client-address: 127.0.0.1\n"),
        "{answer}"
    );
    assert!(answer.contains("x-forwarded-for: 127.0.0.1\n"), "{answer}");
    assert!(!answer.contains("6.6.6.6"), "{answer}");
}

#[tokio::test]
async fn path_and_query_pass_byte_for_byte() {
    let scene = scene().await;
    for target in [
        "/a//b/../c%2Fd?q=a+b%20c&&x=|{}&e=%zz",
        "/%C3%A4?",
        "/?a=/../b",
        "/.",
    ] {
        let request = format!("PATCH {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = send(scene.front, &request).await;
        assert!(
            answer.contains(&format!("PATCH {target}\n")),
            "{target}: {answer}"
        );
    }
}

#[tokio::test]
async fn headers_between_neighbours_stay_there() {
    let scene = scene().await;
    let answer = send(
        scene.front,
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close, x-mine\r\nX-Mine: 1\r\nTE: trailers\r\nX-Other: 2\r\n\r\n",
    )
    .await;
    assert!(
        answer.contains("x-other: 2\n") && answer.contains("x-from: upstream"),
        "{answer}"
    );
    assert!(
        !answer.contains("x-mine") && !answer.contains("\nte: ") && !answer.contains("x-secret"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_body_of_ten_megabytes_passes_and_a_byte_more_is_refused() {
    let scene = scene().await;
    let client = reqwest::Client::new();
    let url = format!("http://{}/upload", scene.front);
    let whole = client
        .post(&url)
        .body(vec![b'x'; BODY_BYTES_MAX])
        .send()
        .await
        .unwrap();
    assert_eq!(whole.status(), 200);
    assert!(
        whole
            .text()
            .await
            .unwrap()
            .contains(&format!("body: {BODY_BYTES_MAX}\n"))
    );

    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        BODY_BYTES_MAX + 1
    );
    let answer = send(scene.front, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(
        answer.ends_with(r#"{"message":"Request Entity Too Large"}"#),
        "{answer}"
    );
}

#[tokio::test]
async fn a_chunked_body_goes_on_with_its_length() {
    let scene = scene().await;
    let request = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let answer = send(scene.front, request).await;
    assert!(
        answer.contains("content-length: 5\n") && answer.contains("body: 5\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_new_api_is_noticed_and_no_api_is_said() {
    let scene = scene().await;
    let url = format!("http://{}/", scene.front);
    write_api_id(&scene.api_id_file, "def456");
    assert!(
        reqwest::get(&url)
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains("host: def456.execute-api")
    );
    std::fs::remove_file(&scene.api_id_file).unwrap();
    let answer = reqwest::get(&url).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert!(answer.text().await.unwrap().contains("not deployed"));
}

#[tokio::test]
async fn an_upstream_that_is_away_is_said_to_be() {
    let (listener, address) = listen().await;
    drop(listener);
    let scene = front_of(address).await;
    let answer = reqwest::get(format!("http://{}/", scene.front))
        .await
        .unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "5");
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("emulator is not running")
    );
}

#[tokio::test]
async fn an_upstream_that_breaks_off_is_a_bad_gateway() {
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    let scene = front_of(address).await;
    let answer = reqwest::get(format!("http://{}/", scene.front))
        .await
        .unwrap();
    assert_eq!(answer.status(), 502);
}
