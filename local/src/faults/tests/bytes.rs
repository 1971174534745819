//! Faults that happen to bytes and connections.

use super::*;
use std::time::Instant;

#[tokio::test]
async fn without_a_fault_everything_is_passed_on_and_either_end_is_heard() {
    let proxy = proxy_of_echo(Dependency::S3).await;
    let mut stream = proxy.connect().await.unwrap();
    let much = "x".repeat(3_000_000);
    let (mut from, mut to) = stream.split();
    let send = async {
        to.write_all(much.as_bytes()).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let (_, heard) = futures::join!(send, from.read_to_end(&mut back));
    heard.unwrap();
    assert_eq!(back.len(), much.len());
}

#[tokio::test]
async fn refuse_closes_the_port_and_resets_open_connections_until_it_is_healed() {
    let proxy = proxy_of_echo(Dependency::DynamoDb).await;
    let mut open = proxy.connect().await.unwrap();
    assert!(is_echoed(&mut open, "before").await);
    proxy.begin(Kind::Refuse).await;
    let refused = proxy.connect().await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    assert!(is_reset(hear(&mut open).await));
    proxy.begin(Kind::Refuse).await;
    assert!(proxy.connect().await.is_err());
    proxy.heal().await;
    let mut again = proxy.connect().await.unwrap();
    assert!(is_echoed(&mut again, "after").await);
}

#[tokio::test]
async fn reset_comes_once_something_is_said_on_new_and_open_connections() {
    let proxy = proxy_of_echo(Dependency::DatabasePrimary).await;
    let mut open = proxy.connect().await.unwrap();
    assert!(is_echoed(&mut open, "before").await);
    proxy.begin(Kind::Reset).await;
    let mut new = proxy.connect().await.unwrap();
    for stream in [&mut open, &mut new] {
        assert!(is_silent(stream).await);
        say(stream, "hello").await;
        assert!(is_reset(hear(stream).await));
    }
}

#[tokio::test]
async fn hang_stands_still_and_goes_on_where_it_stood() {
    let proxy = proxy_of_echo(Dependency::Payments).await;
    let mut open = proxy.connect().await.unwrap();
    assert!(is_echoed(&mut open, "before").await);
    proxy.begin(Kind::Hang).await;
    let mut new = proxy.connect().await.unwrap();
    for stream in [&mut open, &mut new] {
        say(stream, "hello").await;
        assert!(is_silent(stream).await);
    }
    proxy.heal().await;
    for stream in [&mut open, &mut new] {
        assert_eq!(hear(stream).await.unwrap(), b"hello");
    }
}

#[tokio::test]
async fn what_a_client_gave_up_on_while_it_hung_is_not_delivered_later() {
    let (listener, upstream) = listen().await;
    let proxy = proxy_of(Dependency::Payments, upstream).await;
    proxy.begin(Kind::Hang).await;
    let mut client = proxy.connect().await.unwrap();
    let (mut dependency, _) = listener.accept().await.unwrap();
    say(&mut client, "charge").await;
    drop(client);
    assert_eq!(hear(&mut dependency).await.unwrap(), b"");
}

#[tokio::test]
async fn half_open_loses_what_is_said_and_such_a_connection_never_recovers() {
    let proxy = proxy_of_echo(Dependency::DatabasePrimary).await;
    let mut used = proxy.connect().await.unwrap();
    let mut idle = proxy.connect().await.unwrap();
    for stream in [&mut used, &mut idle] {
        assert!(is_echoed(stream, "before").await);
    }
    proxy.begin(Kind::HalfOpen).await;
    let mut new = proxy.connect().await.unwrap();
    for stream in [&mut used, &mut new] {
        say(stream, "lost").await;
        assert!(is_silent(stream).await);
    }
    proxy.heal().await;
    for stream in [&mut used, &mut new] {
        assert!(is_reset(hear(stream).await));
    }
    assert!(is_echoed(&mut idle, "after").await);
}

#[tokio::test]
async fn dependency_that_ends_a_half_open_connection_is_not_heard() {
    let (listener, upstream) = listen().await;
    let proxy = proxy_of(Dependency::DatabaseReplica, upstream).await;
    let mut client = proxy.connect().await.unwrap();
    let (mut dependency, _) = listener.accept().await.unwrap();
    say(&mut dependency, "ready").await;
    assert_eq!(hear(&mut client).await.unwrap(), b"ready");
    proxy.begin(Kind::HalfOpen).await;
    dependency.set_zero_linger().unwrap();
    drop(dependency);
    assert!(is_silent(&mut client).await);
    proxy.heal().await;
    assert_eq!(hear(&mut client).await.unwrap(), b"");
}

#[tokio::test]
async fn latency_delays_each_turn_once_and_ends_with_its_healing() {
    let proxy = proxy_of_echo(Dependency::DynamoDb).await;
    let mut stream = proxy.connect().await.unwrap();
    proxy.begin(Kind::Latency(SILENCE)).await;
    for _ in 0..2 {
        let begin = Instant::now();
        assert!(is_echoed(&mut stream, "hello").await);
        let took = begin.elapsed();
        assert!(took >= 2 * SILENCE && took < 4 * SILENCE, "{took:?}");
    }
    proxy.begin(Kind::Latency(PATIENCE)).await;
    say(&mut stream, "hurry").await;
    assert!(is_silent(&mut stream).await);
    proxy.heal().await;
    assert_eq!(hear(&mut stream).await.unwrap(), b"hurry");
}

#[tokio::test]
async fn cut_lets_so_many_bytes_of_an_answer_through() {
    let proxy = proxy_of_echo(Dependency::S3).await;
    proxy.begin(Kind::Cut(5)).await;
    let mut stream = proxy.connect().await.unwrap();
    for _ in 0..3 {
        assert!(is_echoed(&mut stream, "short").await);
    }
    say(&mut stream, "longer").await;
    assert_eq!(hear(&mut stream).await.unwrap(), b"longe");
    assert!(is_reset(hear(&mut stream).await));
    proxy.begin(Kind::Cut(0)).await;
    let mut stream = proxy.connect().await.unwrap();
    say(&mut stream, "x").await;
    assert!(is_reset(hear(&mut stream).await));
}

#[tokio::test]
async fn fault_with_an_end_heals_by_itself_unless_another_came_meanwhile() {
    let proxy = proxy_of_echo(Dependency::Sqs).await;
    proxy
        .change(Some(Kind::Refuse), Some(SILENCE))
        .await
        .unwrap();
    let (kind, left) = proxy.in_force().unwrap();
    assert!(kind == Kind::Refuse && left.unwrap() <= SILENCE);
    tokio::time::sleep(2 * SILENCE).await;
    assert_eq!(proxy.in_force(), None);
    assert!(is_echoed(&mut proxy.connect().await.unwrap(), "after").await);
    proxy
        .change(Some(Kind::Refuse), Some(SILENCE))
        .await
        .unwrap();
    proxy.begin(Kind::Hang).await;
    tokio::time::sleep(2 * SILENCE).await;
    assert_eq!(proxy.in_force(), Some((Kind::Hang, None)));
}

#[tokio::test]
async fn dependency_that_is_not_there_is_a_reset() {
    let (listener, nowhere) = listen().await;
    drop(listener);
    let proxy = proxy_of(Dependency::Payments, nowhere).await;
    let mut stream = proxy.connect().await.unwrap();
    assert!(is_reset(hear(&mut stream).await));
}
