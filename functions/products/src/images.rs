//! Pictures: announced here, uploaded straight to the bucket, completed here.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::clock;
use shared::domain::catalogue::{Alt, ByteSize, MediaType};
use shared::domain::flags::Flag;
use shared::domain::ids;
use shared::http::{ApiError, Json, Path, Problem, Seller};
use shared::store::images::NewImage;
use shared::store::{images, products};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::AppState;
use crate::complete_image::complete_image;
use crate::ownership::may_change;
use crate::products::id;
use crate::views::ImageView;

/// A picture that is about to be uploaded.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewImageBody {
    /// Its kind.
    #[schema(example = "image/png")]
    content_type: MediaType,
    /// Its exact size.
    byte_size: ByteSize,
    /// What it shows, for who cannot see it.
    alt: Alt,
}

/// How to upload it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AnnouncedImage {
    /// Its id, for `complete`.
    image_id: Uuid,
    /// What to send to the bucket.
    upload: Upload,
}

/// A form for the bucket: `multipart/form-data` with these fields, then the picture as `file`.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    /// Where to.
    url: String,
    /// Always `POST`.
    #[schema(example = "POST")]
    method: &'static str,
    /// What to send before the file, as it stands here.
    fields: BTreeMap<String, String>,
    /// Until when the bucket takes it.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Announces a picture and says how to upload it straight to the bucket.
///
/// The bucket takes exactly the type and the size that were announced, for 15
/// minutes. The picture is shown after `complete`.
#[utoipa::path(
    post, path = "/products/{product}/images", tag = "catalogue", security(("bearer" = [])),
    params(("product" = Uuid, Path, description = "The product's id")),
    request_body = NewImageBody,
    responses(
        (status = 201, body = AnnouncedImage, description = "How to upload it"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "It is another seller's"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such product"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "The product has as many pictures as it may have"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is at fault"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The bucket is away"),
    )
)]
pub async fn post_image(
    State(state): State<AppState>,
    Path(product): Path<String>,
    seller: Seller,
    Json(body): Json<NewImageBody>,
) -> Result<(StatusCode, Json<AnnouncedImage>), ApiError> {
    state.flags.require(Flag::Uploads).await?;
    let product = id(&product)?;
    let image_id = ids::new_id();
    let object_key = format!(
        "products/{product}/{image_id}.{}",
        body.content_type.extension()
    );
    let key = upload_key(image_id);
    let form = state
        .objects
        .upload_form(&key, body.content_type, body.byte_size, clock::now());
    let form = form.await?;
    // Nobody shall find out by uploading that the bucket is away.
    state.objects.reach().await?;
    let image = NewImage {
        id: image_id,
        product_id: product,
        object_key: &object_key,
        media_type: body.content_type,
        byte_size: body.byte_size,
        alt: &body.alt,
    };
    let announced = state.database.transact(async |tx| {
        let held = products::hold(tx, product)
            .await?
            .ok_or_else(ApiError::not_found)?;
        may_change(&seller, held.seller_id, held.status)?;
        images::announce(tx, image).await?;
        Ok::<_, ApiError>(())
    });
    announced.await?;
    let upload = Upload {
        url: form.url,
        method: "POST",
        fields: form.fields,
        expires_at: form.expires_at,
    };
    Ok((
        StatusCode::CREATED,
        Json(AnnouncedImage { image_id, upload }),
    ))
}

/// Shows a picture that was uploaded, once it proved to be one. Repeating does nothing more.
#[utoipa::path(
    post, path = "/products/{product}/images/{image_id}/complete", tag = "catalogue",
    security(("bearer" = [])),
    params(
        ("product" = Uuid, Path, description = "The product's id"),
        ("image_id" = Uuid, Path, description = "The picture's id"),
    ),
    responses(
        (status = 200, body = ImageView, description = "The picture"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "It is another seller's"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "It was never announced"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "It is not there, or not the picture that was announced"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The bucket is away"),
    )
)]
pub async fn post_image_complete(
    State(state): State<AppState>,
    Path((product, image)): Path<(String, String)>,
    seller: Seller,
) -> Result<Json<ImageView>, ApiError> {
    let (product, image) = (id(&product)?, id(&image)?);
    let read = |pool| async move { images::announced(&pool, product, image).await };
    let announced = state
        .database
        .read_own(read)
        .await?
        .ok_or_else(ApiError::not_found)?;
    may_change(&seller, announced.seller_id, announced.status)?;
    if !announced.completed {
        complete_image(&state, &announced).await?;
    }
    Ok(Json(ImageView::of(announced.into(), &state.config)))
}

/// Where an upload is until it proved to be a picture. Nobody can read it there.
pub fn upload_key(image_id: Uuid) -> String {
    format!("uploads/{image_id}")
}
