//! The bucket is away.

use super::nothing_is_left_of_other_faults;
use serde_json::{Value, json};
use tests::client::Client;
use tests::shop::{Shop, eur, eventually, new_key, order_of};
use tests::{Fault, Stack};

/// One grey pixel.
const PNG: &[u8] =
    b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\x3a\x7e\x9b\x55\
    \0\0\0\x0aIDAT\x78\x9c\x63\x68\0\0\0\x82\0\x81\x77\xcd\x72\xb6\0\0\0\0IEND\xae\x42\x60\x82";

/// A draft product's pictures; the path below the API.
async fn product_without_pictures(seller: &Client) -> String {
    let category = seller.get("/categories").await.expect(200).body["items"][0]["slug"].clone();
    let variant = json!({"sku": new_key(), "title": "One", "options": {}, "price": eur(1000)});
    let body = json!({
        "title": "Pictured", "description": "Made by a test.", "category": category,
        "variants": [variant],
    });
    let page = seller.post("/products", body).await.expect(201);
    format!("/products/{}/images", page.body["id"].as_str().unwrap())
}

/// Does with the form what a browser does.
async fn upload(form: &Value) {
    let boundary = "boundary";
    let mut body = Vec::new();
    for (name, value) in form["fields"].as_object().unwrap() {
        let head =
            format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value.as_str().unwrap().as_bytes());
        body.extend_from_slice(b"\r\n");
    }
    let head = format!(
        "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.png\"\r\ncontent-type: image/png\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(PNG);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let request = reqwest::Client::new().post(form["url"].as_str().unwrap());
    let content_type = format!("multipart/form-data; boundary={boundary}");
    let answer = request
        .header("content-type", content_type)
        .body(body)
        .send()
        .await
        .unwrap();
    assert!(
        answer.status().is_success(),
        "{}",
        answer.text().await.unwrap()
    );
}

#[tokio::test]
async fn without_the_bucket_pictures_wait_and_the_shop_goes_on() {
    let stack = Stack::alone();
    let shop = Shop::open().await;
    nothing_is_left_of_other_faults(&shop).await;
    let sku = shop.product(1000, 1).await;
    let pictures = product_without_pictures(&shop.seller).await;
    let picture = json!({"content_type": "image/png", "byte_size": PNG.len(), "alt": "Grey"});
    let announce = async || shop.seller.post(&pictures, picture.clone()).await;
    let announced = announce().await.expect(201);
    let fault = Fault::start(&stack, "s3", "refuse").await;
    let anyone = Client::anonymous(&shop.api_url);
    let listed = anyone.get("/products?limit=5").await.expect(200);
    assert_eq!(listed.body["items"].as_array().unwrap().len(), 5);
    assert_eq!(listed.header("x-degraded"), "");
    let body = order_of(&sku, 1, "pm_card_visa");
    let _ = shop
        .customer
        .post_once("/checkout", &new_key(), &body)
        .await
        .expect(201);
    // The browser uploads to the bucket itself, not through the functions.
    upload(&announced.body["upload"]).await;
    let complete = format!(
        "{pictures}/{}/complete",
        announced.body["image_id"].as_str().unwrap()
    );
    for away in [
        announce().await,
        shop.seller.post(&complete, json!({})).await,
    ] {
        assert!(!away.expect(503).header("retry-after").is_empty());
    }
    fault.heal().await;
    // The breaker in front of the bucket may stay open for some seconds.
    eventually("the picture is published", async || {
        let answer = shop.seller.post(&complete, json!({})).await;
        (answer.status == 200).then_some(())
    })
    .await;
}
