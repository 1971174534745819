//! Pictures: drawn here, uploaded straight to the bucket the way the API says.

use std::sync::Arc;

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::api::{Answer, Api};
use super::catalogue::Picture;
use super::picture::Motifs;

const CONTENT_TYPE: &str = "image/png";
/// Cannot occur in a PNG, whose text we do not write, nor in a form's fields.
const BOUNDARY: &str = "holdfast-sample-picture-4f1c0b7e";

/// Draws a picture and gives it to a product.
pub(super) async fn picture(
    api: &Api,
    motifs: &Arc<Motifs>,
    product_id: &str,
    picture: &Picture,
) -> Result<()> {
    let step = |what: &str| format!("{what} \"{}\"", picture.alt);
    let (pen, drawing) = (Arc::clone(motifs), picture.drawing.clone());
    let png = tokio::task::spawn_blocking(move || pen.draw(&drawing)).await?;
    let png = png.with_context(|| step("drawing"))?;

    let images = format!("/products/{product_id}/images");
    let body = json!({"content_type": CONTENT_TYPE, "byte_size": png.len(), "alt": picture.alt});
    let answer = api
        .post(&images, &body)
        .await
        .with_context(|| step("announcing"))?;
    let ticket = answer.body(&step("announcing"))?;
    let image_id = ticket["image_id"]
        .as_str()
        .with_context(|| step("no id for"))?;

    let uploaded = send(api, &ticket["upload"], png)
        .await
        .with_context(|| step("uploading"))?;
    uploaded.body(&step("uploading"))?;

    let complete = format!("{images}/{image_id}/complete");
    let answer = api
        .post(&complete, &json!({}))
        .await
        .with_context(|| step("completing"))?;
    answer.body(&step("completing")).map(drop)
}

/// Follows the instructions for an upload: a form when there are fields,
/// otherwise the picture itself.
async fn send(api: &Api, upload: &Value, png: Vec<u8>) -> Result<Answer> {
    let url = upload["url"].as_str().context("no address to upload to")?;
    if let Some(fields) = upload["fields"].as_object() {
        let form = form(fields, &png);
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = |http: &reqwest::Client| {
            http.post(url)
                .header("content-type", &content_type)
                .body(form.clone())
        };
        return api.elsewhere(request).await;
    }
    let method = Method::from_bytes(upload["method"].as_str().unwrap_or("PUT").as_bytes())?;
    let request = |http: &reqwest::Client| {
        let headers = upload["headers"].as_object().into_iter().flatten();
        let request = http.request(method.clone(), url).body(png.clone());
        headers.fold(request, |request, (name, value)| {
            request.header(name, value.as_str().unwrap_or_default())
        })
    };
    api.elsewhere(request).await
}

/// The form of RFC 7578. The bucket ignores fields that come after the file.
fn form(fields: &Map<String, Value>, png: &[u8]) -> Vec<u8> {
    let mut form = Vec::with_capacity(png.len() + 4096);
    for (name, value) in fields {
        let value = value.as_str().unwrap_or_default();
        let part = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        form.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"picture.png\"\r\n\
         content-type: {CONTENT_TYPE}\r\n\r\n"
    );
    form.extend_from_slice(head.as_bytes());
    form.extend_from_slice(png);
    form.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    form
}
