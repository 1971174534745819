//! The style and the scripts of every page, built into the binary.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;
use shared::http::ApiError;

use crate::documents::{Document, answer};

static FILES: LazyLock<[(&str, Document); 3]> = LazyLock::new(|| {
    [
        (
            "console.css",
            Document::new(
                "text/css; charset=utf-8",
                include_str!("assets/console.css"),
            ),
        ),
        // htmx 2.0.11 as it is published, under the Zero-Clause BSD licence (htmx.org).
        (
            "htmx.min.js",
            Document::new(
                "text/javascript; charset=utf-8",
                include_str!("assets/htmx.min.js"),
            ),
        ),
        (
            "stale.js",
            Document::new(
                "text/javascript; charset=utf-8",
                include_str!("assets/stale.js"),
            ),
        ),
    ]
});

/// Serves one of them, to anybody: there is nothing of the shop in it.
pub(crate) async fn file(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let found = FILES.iter().find(|(name, _)| *name == file);
    let (_, document) = found.ok_or_else(ApiError::not_found)?;
    Ok(answer(document, &headers))
}
