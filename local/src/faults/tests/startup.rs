//! Faults of what speaks no HTTP: PostgreSQL and SMTP.

use super::*;

/// As a client without encryption begins: length, version 3.0, a parameter.
const STARTUP: &str = "\0\0\0\x11\0\x03\0\0user\0me\0\0";
const SSL_REQUEST: &[u8] = &[0, 0, 0, 8, 4, 210, 22, 47];

#[tokio::test]
async fn throttled_database_refuses_start_ups_with_53300_and_keeps_what_is_open() {
    let proxy = proxy_of_echo(Dependency::DatabasePrimary).await;
    let mut open = proxy.connect().await.unwrap();
    assert!(is_echoed(&mut open, STARTUP).await);
    proxy.begin(Kind::Throttle(100)).await;
    assert!(is_echoed(&mut open, "Q").await);
    let mut new = proxy.connect().await.unwrap();
    say(&mut new, STARTUP).await;
    let refusal = hear(&mut new).await.unwrap();
    let length = u32::from_be_bytes(refusal[1..5].try_into().unwrap());
    assert_eq!((refusal[0], length as usize), (b'E', refusal.len() - 1));
    let words = String::from_utf8(refusal).unwrap();
    assert!(
        words.contains("\0C53300\0") && words.ends_with("\0\0"),
        "{words:?}"
    );
    assert_eq!(hear(&mut new).await.unwrap(), b"");
}

#[tokio::test]
async fn throttled_database_first_declines_encryption() {
    let proxy = proxy_of_echo(Dependency::DatabasePrimary).await;
    proxy.begin(Kind::Throttle(100)).await;
    let mut client = proxy.connect().await.unwrap();
    client.write_all(SSL_REQUEST).await.unwrap();
    assert_eq!(hear(&mut client).await.unwrap(), b"N");
    say(&mut client, STARTUP).await;
    assert_eq!(hear(&mut client).await.unwrap()[0], b'E');
}

#[tokio::test]
async fn database_with_errors_resets_new_connections_and_statements_but_no_password() {
    let proxy = proxy_of_echo(Dependency::DatabasePrimary).await;
    let mut open = proxy.connect().await.unwrap();
    assert!(is_echoed(&mut open, STARTUP).await);
    proxy.begin(Kind::Error(100)).await;
    assert!(is_echoed(&mut open, "password").await);
    let mut new = proxy.connect().await.unwrap();
    for (stream, words) in [(&mut new, STARTUP), (&mut open, "Query")] {
        say(stream, words).await;
        assert!(is_reset(hear(stream).await));
    }
}

#[tokio::test]
async fn mail_is_deferred_or_reset_where_it_begins() {
    let proxy = proxy_of_echo(Dependency::MailSecondary).await;
    proxy.begin(Kind::Throttle(100)).await;
    let mut stream = proxy.connect().await.unwrap();
    assert!(is_echoed(&mut stream, "EHLO me\r\n").await);
    say(&mut stream, "MAIL FROM:<a@b.example>\r\n").await;
    assert!(hear(&mut stream).await.unwrap().starts_with(b"421 4.7.0 "));
    proxy.begin(Kind::Error(100)).await;
    let mut stream = proxy.connect().await.unwrap();
    assert!(is_echoed(&mut stream, "EHLO me\r\n").await);
    say(&mut stream, "mail from:<a@b.example>\r\n").await;
    assert!(is_reset(hear(&mut stream).await));
}

#[tokio::test]
async fn share_of_nought_harms_nothing() {
    let proxy = proxy_of_echo(Dependency::DatabasePrimary).await;
    for kind in [Kind::Error(0), Kind::Throttle(0)] {
        proxy.begin(kind).await;
        let mut stream = proxy.connect().await.unwrap();
        assert!(is_echoed(&mut stream, STARTUP).await);
        assert!(is_echoed(&mut stream, "Query").await);
    }
}
