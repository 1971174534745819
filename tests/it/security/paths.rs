//! Paths and headers that mean one thing to a gateway and another behind it: none leads past a
//! check, and none is a defect. Sent byte for byte, because clients tidy addresses up.

use reqwest::Method;
use serde_json::Value;
use tests::Stack;
use tests::client::{Client, read};
use tests::raw::exchange;
use uuid::Uuid;

use super::tokens::Keys;

/// Other spellings of `/api/v1/admin/flags`, which only an admin may read.
const SPELLINGS: &[&str] = &[
    "//api/v1/admin/flags",
    "/api//v1/admin/flags",
    "/api/v1//admin/flags",
    "/api/v1/admin//flags",
    "/api/v1/admin/flags/",
    "/api/v1/admin/flags//",
    "/./api/v1/admin/flags",
    "/api/v1/./admin/flags",
    "/api/v1/health/../admin/flags",
    "/api/v1/products/../admin/flags",
    "/docs/../api/v1/admin/flags",
    "/api/v1/health/%2e%2e/admin/flags",
    "/api/v1/health/%2E%2E%2Fadmin/flags",
    "/api/v1/health/..%2fadmin/flags",
    "/api/v1/health/..%5cadmin/flags",
    "/api/v1/health/..;/admin/flags",
    "/api/v1/health/%252e%252e/admin/flags",
    "/api/v1/admin%2fflags",
    "/api/v1/admin%252fflags",
    "/api%2fv1%2fadmin%2fflags",
    "/api/v1/admin/flags%00",
    "/api/v1/admin/flags%00.css",
    "/api/v1/admin/flags%20",
    "/api/v1/admin/flags%09",
    "/api/v1/admin/flags%0d%0a",
    "/api/v1/admin/flags.json",
    "/api/v1/admin/flags.css",
    "/api/v1/admin/flags;a=b",
    "/api/v1/admin;/flags",
    "/api/v1/admin/flags?",
    "/api/v1/admin/flags?a=b&a=b",
    "/api/v1/admin/flags/..",
    "/api/v1/admin/flags/%2e",
    "/api/v1/admin/%66lags",
    "/API/V1/ADMIN/FLAGS",
    "/api/v1/Admin/flags",
    "/api/v1/admin/flag%73",
    "/api/v1/admin/ﬂags",
    "\\api\\v1\\admin\\flags",
    "/api/v1/admin\\flags",
    "api/v1/admin/flags",
    "http://evil.example/api/v1/admin/flags",
    "*",
];

/// Headers by which something in between may be told to take another method, path or sender.
const OVERRIDES: &[&str] = &[
    "x-http-method-override: PUT",
    "x-http-method: DELETE",
    "x-method-override: PUT",
    "x-original-url: /api/v1/admin/flags",
    "x-original-uri: /api/v1/admin/flags",
    "x-rewrite-url: /api/v1/admin/flags",
    "x-forwarded-path: /api/v1/admin/flags",
    "x-forwarded-prefix: /api/v1/admin",
    "x-forwarded-for: 127.0.0.1",
    "x-forwarded-for: 127.0.0.1, ::1, \"><script>",
    "x-forwarded-host: evil.example",
    "x-forwarded-proto: ftp",
    "x-forwarded-port: 99999",
    "forwarded: for=127.0.0.1;host=evil.example;proto=https",
    "x-host: evil.example",
    "x-real-ip: 127.0.0.1",
    "true-client-ip: 127.0.0.1",
    "cf-connecting-ip: 127.0.0.1",
    "x-amzn-oidc-identity: admin",
    "x-amzn-request-context: {\"authorizer\":{\"role\":\"admin\"}}",
    "x-holdfast-client-address: 127.0.0.1",
    "x-user-id: 01890a5d-ac96-774b-bcce-b302099a8057",
    "x-role: admin",
];

async fn customer(stack: &Stack) -> String {
    let keys = Keys::of(stack).await;
    keys.sign(&keys.claims(&Uuid::now_v7().to_string(), "customer"))
}

#[tokio::test]
async fn no_spelling_of_a_path_leads_past_a_check() {
    let stack = Stack::running();
    let token = customer(&stack).await;
    let mut faults = Vec::new();
    for path in SPELLINGS {
        // OPTIONS is everybody's, and asks for nothing.
        for method in ["GET", "HEAD", "PUT", "TRACE", "PROPFIND", "get"] {
            let signed_in = format!("authorization: Bearer {token}");
            for headers in [vec![], vec![signed_in]] {
                let line = format!("{method} {path} HTTP/1.1");
                let answer = exchange(&stack.api_url, &line, &headers).await;
                let refused = [0, 400, 401, 403, 404, 405].contains(&answer.status);
                if !refused || answer.text.contains("updated_by") {
                    faults.push(format!("{line}: {}", answer.text));
                }
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[tokio::test]
async fn no_header_changes_what_is_asked_for_or_by_whom() {
    let stack = Stack::running();
    let token = customer(&stack).await;
    for header in OVERRIDES {
        for (line, expected) in [
            ("GET /api/v1/admin/flags HTTP/1.1", 403),
            ("GET /api/v1/health HTTP/1.1", 200),
            ("POST /api/v1/health HTTP/1.1", 405),
        ] {
            let headers = [
                format!("authorization: Bearer {token}"),
                (*header).to_owned(),
            ];
            let answer = exchange(&stack.api_url, line, &headers).await;
            assert_eq!(answer.status, expected, "{line}, {header}: {}", answer.text);
            assert!(
                !answer.text.contains("evil.example"),
                "{header}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn address_of_a_new_cart_is_not_made_of_what_the_client_says() {
    let stack = Stack::running();
    let client = Client::anonymous(&stack.api_url);
    let request = client
        .request(Method::POST, "/carts")
        .header("x-forwarded-host", "evil.example");
    let made = read(request.header("forwarded", "host=evil.example"))
        .await
        .expect(201);
    assert!(
        made.header("location").starts_with("/api/v1/carts/"),
        "{made:?}"
    );
}

#[tokio::test]
async fn two_tokens_in_one_request_are_none() {
    let stack = Stack::running();
    let (one, other) = (customer(&stack).await, customer(&stack).await);
    for tokens in [[one.as_str(), other.as_str()], [&one, "x"], ["x", &one]] {
        let headers = tokens.map(|token| format!("authorization: Bearer {token}"));
        let answer = exchange(&stack.api_url, "GET /api/v1/orders HTTP/1.1", &headers).await;
        assert!([400, 401].contains(&answer.status), "{}", answer.text);
    }
}

#[tokio::test]
async fn request_id_that_is_not_well_formed_comes_back_nowhere() {
    let stack = Stack::running();
    for id in [
        "a\r\n x-evil: 1",
        "a\n\tb: c",
        "%0d%0ax-evil: 1",
        "<script>alert(1)</script>",
        "${jndi:ldap://evil}",
        &"a".repeat(65),
    ] {
        let headers = [format!("x-request-id: {id}")];
        let answer = exchange(&stack.api_url, "GET /api/v1/nowhere HTTP/1.1", &headers).await;
        assert!(
            [400, 404].contains(&answer.status),
            "{id:?}: {}",
            answer.text
        );
        for part in ["evil", "script", "jndi", &"a".repeat(65)] {
            assert!(!answer.text.contains(part), "{id:?}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn headers_that_are_huge_or_many_are_refused_or_do_not_matter() {
    let stack = Stack::running();
    let many: Vec<String> = (0..90)
        .map(|number| format!("x-a-{number}: {number}"))
        .collect();
    let repeated = vec!["accept: */*".to_owned(); 60];
    let large = vec![format!("x-large: {}", "a".repeat(8_000))];
    for headers in [many, repeated, large] {
        let answer = exchange(&stack.api_url, "GET /api/v1/health HTTP/1.1", &headers).await;
        assert!([200, 400, 431].contains(&answer.status), "{}", answer.text);
    }
    let path = format!("GET /api/v1/products/{} HTTP/1.1", "a".repeat(7_000));
    let answer = exchange(&stack.api_url, &path, &[]).await;
    assert!(
        [400, 404, 414, 431].contains(&answer.status),
        "{}",
        answer.text
    );
}

/// Every path of the contract in upper case, with a slash at its end, with two slashes or with more
/// behind it, is none.
#[tokio::test]
async fn only_the_contracts_own_spelling_is_a_route() {
    let stack = Stack::running();
    let operations = tests::contract::Contract::committed().operations();
    for operation in operations {
        let path = operation.filled(tests::contract::ID);
        // A page, whose own address has the slash as well.
        if path == "/docs" {
            continue;
        }
        let spellings = [
            path.to_uppercase(),
            format!("{path}/"),
            path.replacen('/', "//", 2),
            format!("{path}/x/y/z"),
        ];
        for spelt in spellings {
            let line = format!("{} {spelt} HTTP/1.1", operation.method);
            let answer = exchange(&stack.api_url, &line, &["content-length: 0".to_owned()]).await;
            assert!(
                [404, 405].contains(&answer.status),
                "{line}: {}",
                answer.text
            );
            let body = answer.text.split("\r\n\r\n").nth(1).unwrap_or_default();
            let problem: Value = serde_json::from_str(body).unwrap_or_default();
            assert!(problem["type"].is_string(), "{line}: {}", answer.text);
        }
    }
}
