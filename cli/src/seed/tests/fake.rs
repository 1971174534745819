//! As much of the API as the seeder calls, and a bucket, on a port of loopback.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

/// How the bucket wants its uploads.
#[derive(Clone, Copy)]
pub(super) enum Uploads {
    Put,
    Form,
}

/// What the shop has.
#[derive(Default)]
pub(super) struct Shop {
    pub(super) categories: Vec<Value>,
    pub(super) products: Vec<Value>,
    /// Requests that were not reads or sign-ins.
    pub(super) writes: usize,
    /// Answers 503 to so many requests first.
    pub(super) refusals: usize,
    /// Answers an empty list of all products, as a stale cache would.
    pub(super) hides_whole_list: bool,
    pub(super) refuses_stock: bool,
    stock_keys: HashSet<String>,
    announced: Vec<(String, Value)>,
    uploaded: HashSet<String>,
}

impl Shop {
    pub(super) fn stock_total(&self) -> i64 {
        let variants = self
            .products
            .iter()
            .flat_map(|page| page["variants"].as_array().unwrap());
        variants
            .map(|variant| variant["available"].as_i64().unwrap())
            .sum()
    }

    pub(super) fn pictures(&self) -> u64 {
        self.products
            .iter()
            .map(|page| page["images"].as_array().unwrap().len() as u64)
            .sum()
    }

    fn adjust(&mut self, id: &str, sku: &str, key: &str, body: &Value) {
        if self.stock_keys.insert(format!("{id} {key}")) {
            let variants = self.page(id)["variants"].as_array_mut().unwrap();
            let variant = variants
                .iter_mut()
                .find(|variant| variant["sku"] == sku)
                .unwrap();
            variant["available"] = body["delta"].clone();
        }
    }

    fn complete(&mut self, id: &str, image_id: &str) {
        assert!(self.uploaded.contains(image_id));
        let (_, image) = self
            .announced
            .iter()
            .find(|(known, _)| known == image_id)
            .unwrap();
        let image = image.clone();
        self.page(id)["images"].as_array_mut().unwrap().push(image);
    }

    fn page(&mut self, id: &str) -> &mut Value {
        self.products
            .iter_mut()
            .find(|page| page["id"] == id)
            .unwrap()
    }
}

/// A running fake; it ends with the test's runtime.
#[derive(Clone)]
pub(super) struct Fake {
    shop: Arc<Mutex<Shop>>,
    uploads: Uploads,
    address: std::net::SocketAddr,
}

impl Fake {
    pub(super) async fn start(uploads: Uploads) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let fake = Self {
            shop: Arc::default(),
            uploads,
            address,
        };
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        fake
    }

    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn shop(&self) -> MutexGuard<'_, Shop> {
        self.shop.lock().unwrap()
    }
}

async fn answer(State(fake): State<Fake>, request: Request<Body>) -> Response {
    let (head, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let header = |name: &str| {
        head.headers
            .get(name)
            .map(|v| v.to_str().unwrap().to_owned())
    };
    let mut shop = fake.shop();
    if shop.refusals > 0 {
        shop.refusals -= 1;
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")]).into_response();
    }
    let path = head.uri.path().to_owned();
    if let Some(image_id) = path.strip_prefix("/bucket/") {
        return keep(&mut shop, &fake, (&head, &bytes), image_id);
    }
    let path = path.strip_prefix("/api/v1/").unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let caller = header("authorization").unwrap_or_default();
    if head.method == "POST" && parts[0] != "auth" {
        shop.writes += 1;
        assert_eq!(
            caller,
            if parts[0] == "categories" {
                "Bearer admin"
            } else {
                "Bearer seller"
            }
        );
    }
    match (head.method.as_str(), parts.as_slice()) {
        ("POST", ["auth", "login"]) => {
            Json(json!({"access_token": body["password"]})).into_response()
        }
        ("GET", ["categories"]) => Json(json!({"items": shop.categories})).into_response(),
        ("POST", ["categories"]) => {
            let parent_is_there = shop.categories.iter().any(|c| c["slug"] == body["parent"]);
            assert!(body.get("parent").is_none() || parent_is_there);
            shop.categories.push(body);
            StatusCode::CREATED.into_response()
        }
        ("GET", ["products"]) => list(&shop, head.uri.query().unwrap_or_default()),
        ("GET", ["products", id]) => Json(shop.page(id).clone()).into_response(),
        ("POST", ["products"]) => make(&mut shop, body),
        ("POST", ["products", _, "variants", _, _]) if shop.refuses_stock => {
            (StatusCode::CONFLICT, Json(json!({"detail": "not today"}))).into_response()
        }
        ("POST", ["products", id, "variants", sku, "stock-adjustments"]) => {
            shop.adjust(id, sku, &header("idempotency-key").unwrap(), &body);
            Json(json!({})).into_response()
        }
        ("POST", ["products", _, "images"]) => announce(&mut shop, &fake, &body),
        ("POST", ["products", id, "images", image_id, "complete"]) => {
            shop.complete(id, image_id);
            Json(json!({})).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

/// What the bucket does with an upload.
fn keep(shop: &mut Shop, fake: &Fake, upload: (&Parts, &[u8]), image_id: &str) -> Response {
    let (head, bytes) = upload;
    let content_type = head.headers["content-type"].to_str().unwrap();
    assert!(
        !head.headers.contains_key("authorization"),
        "the bucket is not told who uploads"
    );
    let picture = match fake.uploads {
        Uploads::Put => {
            assert_eq!((head.method.as_str(), content_type), ("PUT", "image/png"));
            bytes.to_vec()
        }
        Uploads::Form => file_of_form(bytes, content_type, image_id),
    };
    image::load_from_memory(&picture).unwrap();
    shop.uploaded.insert(image_id.to_owned());
    StatusCode::NO_CONTENT.into_response()
}

/// Pages of five, so that the cursor is followed.
fn list(shop: &Shop, query: &str) -> Response {
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name));
    let category = value("category=");
    let start: usize = value("cursor=").map_or(0, |cursor| cursor.parse().unwrap());
    let is_hidden = shop.hides_whole_list && category.is_none();
    let matching: Vec<&Value> = shop
        .products
        .iter()
        .filter(|page| !is_hidden && category.is_none_or(|slug| page["category"] == slug))
        .collect();
    let next = (start + 5 < matching.len()).then(|| (start + 5).to_string());
    let items: Vec<_> = matching.into_iter().skip(start).take(5).collect();
    Json(json!({"items": items, "next_cursor": next})).into_response()
}

fn make(shop: &mut Shop, mut page: Value) -> Response {
    let sku = &page["variants"][0]["sku"];
    if shop
        .products
        .iter()
        .any(|known| &known["variants"][0]["sku"] == sku)
    {
        return (
            StatusCode::CONFLICT,
            Json(json!({"detail": "the SKU is taken"})),
        )
            .into_response();
    }
    assert_eq!(page["status"], "active");
    page["id"] = json!(uuid::Uuid::now_v7());
    page["images"] = json!([]);
    for variant in page["variants"].as_array_mut().unwrap() {
        assert_eq!(variant["price"]["currency"], "EUR");
        variant["available"] = json!(0);
    }
    shop.products.push(page.clone());
    (StatusCode::CREATED, Json(page)).into_response()
}

fn announce(shop: &mut Shop, fake: &Fake, body: &Value) -> Response {
    let image_id = uuid::Uuid::now_v7().to_string();
    let url = format!("{}/bucket/{image_id}", fake.origin());
    let upload = match fake.uploads {
        Uploads::Put => {
            json!({"url": url, "method": "PUT", "headers": {"content-type": body["content_type"]}})
        }
        Uploads::Form => {
            json!({"url": url, "method": "POST", "fields": {"key": image_id, "policy": "a policy"}})
        }
    };
    shop.announced.push((
        image_id.clone(),
        json!({"id": image_id, "alt": body["alt"]}),
    ));
    (
        StatusCode::CREATED,
        Json(json!({"image_id": image_id, "upload": upload})),
    )
        .into_response()
}

fn file_of_form(form: &[u8], content_type: &str, image_id: &str) -> Vec<u8> {
    let boundary = content_type
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let end = format!("\r\n--{boundary}--\r\n");
    let start = form
        .windows(8)
        .position(|bytes| bytes == b"\x89PNG\r\n\x1a\n")
        .unwrap();
    let head = std::str::from_utf8(&form[..start]).unwrap();
    assert!(head.contains(&format!(
        "name=\"key\"\r\n\r\n{image_id}\r\n--{boundary}\r\n"
    )));
    assert!(head.contains("name=\"policy\"\r\n\r\na policy\r\n"));
    assert!(head.ends_with("content-type: image/png\r\n\r\n"));
    form.strip_suffix(end.as_bytes()).unwrap()[start..].to_vec()
}
