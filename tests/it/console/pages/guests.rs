//! Who is not signed in, or comes from another site, with everything outside gone.

use crate::offline::{NOWHERE, state};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use tower::ServiceExt;

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Every page of orders and dead letters, and whether it takes a form.
const PAGES: [(&str, bool); 7] = [
    ("/console/orders", false),
    ("/console/orders/{id}", false),
    ("/console/dead-letters?status=all&queue=mail", false),
    ("/console/dead-letters/{id}", false),
    ("/console/dead-letters/replay", true),
    ("/console/dead-letters/{id}/replay", true),
    ("/console/dead-letters/{id}/discard", true),
];

async fn ask(method: &str, path: &str, site: &str) -> Response {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", site);
    let request = request.body(Body::from("reason=because")).unwrap();
    let router = ops::router(state(NOWHERE, &[]));
    router.oneshot(request).await.unwrap()
}

#[tokio::test]
async fn nobody_sees_or_does_anything_without_signing_in() {
    for (path, takes_form) in PAGES {
        let path = path.replace("{id}", ID);
        let methods: &[&str] = if takes_form {
            &["GET", "POST"]
        } else {
            &["GET"]
        };
        for method in methods {
            let response = ask(method, &path, "same-origin").await;
            assert_eq!(response.status(), 303, "{method} {path}");
            let location = response.headers()["location"].to_str().unwrap();
            let renewal = "/api/v1/auth/console/renew?to=%2Fconsole%2F";
            assert!(location.starts_with(renewal), "{location}");
        }
    }
}

#[tokio::test]
async fn forms_of_other_sites_are_refused_and_links_are_not() {
    for (path, takes_form) in PAGES {
        let path = path.replace("{id}", ID);
        assert_eq!(ask("GET", &path, "cross-site").await.status(), 303);
        let expected = if takes_form { [403, 303] } else { [403, 405] };
        for (site, expected) in ["same-site", "same-origin"].into_iter().zip(expected) {
            let sent = ask("POST", &path, site).await;
            assert_eq!(sent.status(), expected, "{site} {path}");
        }
    }
}

#[tokio::test]
async fn link_has_no_say_in_what_is_shown() {
    for (query, words) in [
        ("Call+555&Call+555", "A field is given twice"),
        ("to=%2Fconsole&to=x", "<strong>to</strong> is given twice"),
    ] {
        let path = format!("/console/sign-in?{query}");
        let response = ask("GET", &path, "cross-site").await;
        assert_eq!(response.status(), 422);
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(page.contains(words), "{page}");
        assert!(!page.contains("Call 555"), "{page}");
    }
}
