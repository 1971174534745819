//! Faults that happen to requests, against an HTTP server that counts them.

use super::*;
use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use reqwest::{Client, Method};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A server that answers with what it got, and its proxy.
struct Scene {
    proxy: Arc<Proxy>,
    served: Arc<AtomicUsize>,
    http: Client,
}

impl Scene {
    async fn of(dependency: Dependency) -> Self {
        let (listener, upstream) = listen().await;
        let served = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&served);
        let answer = async move |request: Request<Body>| {
            counter.fetch_add(1, Ordering::Relaxed);
            let (parts, body) = request.into_parts();
            let length = body.collect().await.unwrap().to_bytes().len();
            let host = parts.headers["host"].to_str().unwrap().to_owned();
            let expect = parts.headers.contains_key("expect");
            format!("{} {} {host} {length} {expect}", parts.method, parts.uri)
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            proxy: proxy_of(dependency, upstream).await,
            served,
            http: Client::new(),
        }
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.proxy.listen);
        self.http.request(method, url)
    }

    fn served(&self) -> usize {
        self.served.load(Ordering::Relaxed)
    }
}

async fn told(request: reqwest::RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    let kind = answer.headers().get("x-amzn-errortype").cloned();
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned());
    let status = answer.status();
    (
        status,
        kind.unwrap_or_default() + &answer.text().await.unwrap(),
    )
}

#[tokio::test]
async fn each_service_fails_and_is_throttled_in_its_own_words() {
    use Dependency as D;
    for (dependency, target, failed, throttled) in [
        (
            D::DynamoDb,
            "DynamoDB_20120810.PutItem",
            (500, "InternalServerError"),
            (400, "ProvisionedThroughputExceededException"),
        ),
        (
            D::DynamoDb,
            "DynamoDB_20120810.DescribeTable",
            (500, "InternalServerError"),
            (400, "ThrottlingException"),
        ),
        (
            D::Sqs,
            "AmazonSQS.SendMessage",
            (500, "InternalFailure"),
            (400, "ThrottlingException"),
        ),
        (
            D::S3,
            "",
            (500, "<Code>InternalError</Code>"),
            (503, "<Code>SlowDown</Code>"),
        ),
        (
            D::SecretsManager,
            "secretsmanager.GetSecretValue",
            (500, "InternalServiceError"),
            (400, "ThrottlingException"),
        ),
        (
            D::Mail,
            "",
            (500, "InternalServiceErrorException"),
            (429, "ThrottlingException"),
        ),
        (
            D::Payments,
            "",
            (500, r#""type":"api_error""#),
            (429, r#""code":"rate_limit""#),
        ),
    ] {
        let scene = Scene::of(dependency).await;
        for (kind, (status, words)) in
            [(Kind::Error(100), failed), (Kind::Throttle(100), throttled)]
        {
            scene.proxy.begin(kind).await;
            let request = scene
                .request(Method::POST, "/")
                .header("x-amz-target", target);
            let (got, said) = told(request.body("some")).await;
            assert!(
                got == status && said.contains(words),
                "{dependency}: {got} {said}"
            );
        }
        assert_eq!(scene.served(), 0, "{dependency}");
    }
}

#[tokio::test]
async fn open_connection_suffers_too_and_recovers_without_a_reset() {
    let scene = Scene::of(Dependency::Sqs).await;
    let path = "/a%2Fb?c=%20d";
    let host = scene.proxy.listen.to_string();
    let mut stream = scene.proxy.connect().await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for (fault, status) in [(None, 200), (Some(Kind::Error(100)), 500), (None, 200)] {
        scene.proxy.change(fault, None).await.unwrap();
        say(&mut stream, &request).await;
        let heard = String::from_utf8(hear(&mut stream).await.unwrap()).unwrap();
        assert!(heard.starts_with(&format!("HTTP/1.1 {status} ")), "{heard}");
        let whole = format!("GET {path} {host} 0 false");
        assert!(status == 500 || heard.ends_with(&whole), "{heard}");
    }
    // Requests are handled one by one here, and still bytes suffer.
    scene.proxy.begin(Kind::Hang).await;
    say(&mut stream, &request).await;
    assert!(is_silent(&mut stream).await);
    scene.proxy.begin(Kind::Refuse).await;
    assert!(is_reset(hear(&mut stream).await));
}

#[tokio::test]
async fn bodies_of_any_form_pass_where_requests_are_looked_at() {
    let scene = Scene::of(Dependency::S3).await;
    scene.proxy.begin(Kind::Error(0)).await;
    let much = "x".repeat(2_000_000);
    let (status, said) = told(scene.request(Method::PUT, "/much").body(much)).await;
    assert!(status == 200 && said.contains(" 2000000 "), "{said}");
    let mut stream = scene.proxy.connect().await.unwrap();
    let head = "PUT /part HTTP/1.1\r\nHost: s3\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    say(&mut stream, head).await;
    assert!(
        hear(&mut stream)
            .await
            .unwrap()
            .starts_with(b"HTTP/1.1 100 ")
    );
    say(&mut stream, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n").await;
    let heard = String::from_utf8(hear(&mut stream).await.unwrap()).unwrap();
    assert!(heard.ends_with("PUT /part s3 5 false"), "{heard}");
}

#[tokio::test]
async fn share_of_a_half_is_about_a_half() {
    let scene = Scene::of(Dependency::DynamoDb).await;
    scene.proxy.begin(Kind::Error(50)).await;
    let mut failed = 0;
    for _ in 0..200 {
        let (status, _) = told(scene.request(Method::POST, "/")).await;
        failed += usize::from(status.is_server_error());
    }
    // Outside of it once in some hundred million runs.
    assert!((60..=140).contains(&failed), "{failed}");
    assert_eq!(scene.served(), 200 - failed);
}

#[tokio::test]
async fn charge_is_carried_out_and_its_answer_lost_while_questions_pass() {
    let scene = Scene::of(Dependency::Payments).await;
    scene.proxy.begin(Kind::ChargeThenDrop).await;
    let question = scene.request(Method::GET, "/v1/payment_intents/pi_1");
    assert_eq!(told(question).await.0, 200);
    let method = scene.request(Method::POST, "/v1/payment_methods");
    assert_eq!(told(method).await.0, 200);
    let charge = scene
        .request(Method::POST, "/v1/payment_intents")
        .body("amount=1");
    let error = charge.send().await.unwrap_err();
    assert!(!error.is_connect() && error.status().is_none(), "{error:?}");
    assert_eq!(scene.served(), 3);
}
