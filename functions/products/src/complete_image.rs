//! Checks an upload and publishes it: bucket and database meet here.
//!
//! The very bytes that were checked are written to the public place, so that
//! nobody can exchange them between the check and the showing.

use shared::domain::catalogue::{ByteSize, CatalogueError, MediaType, OutOfLimits};
use shared::http::ApiError;
use shared::store::database;
use shared::store::images::{self, Announced};

use crate::AppState;
use crate::images::upload_key;
use crate::products::commit_change;

/// Shows the announced picture if what was uploaded really is that picture.
///
/// # Errors
/// 422 when it is not; 503 while the bucket or the database is away.
pub async fn complete_image(state: &AppState, announced: &Announced) -> Result<(), ApiError> {
    let byte_size = ByteSize::try_from(announced.byte_size).map_err(refused)?;
    let media_type = MediaType::from_name(&announced.content_type)
        .ok_or_else(|| ApiError::internal("an unknown type of picture was announced"))?;
    let uploaded = state
        .objects
        .uploaded(&upload_key(announced.id), byte_size)
        .await?;
    let Some(uploaded) = uploaded else {
        return Err(refused(OutOfLimits("Nothing was uploaded yet.")));
    };
    if uploaded.byte_size != announced.byte_size || uploaded.content_type != media_type.as_str() {
        return Err(refused(OutOfLimits(
            "The upload's type or size is not the announced one.",
        )));
    }
    let bytes = uploaded.bytes.clone();
    #[expect(
        clippy::disallowed_methods,
        reason = "Decoding takes up to a second and would keep every other request waiting."
    )]
    let verified = tokio::task::spawn_blocking(move || media_type.verify(&bytes)).await;
    verified.map_err(ApiError::internal)?.map_err(refused)?;
    state
        .objects
        .publish(&announced.object_key, media_type, uploaded.bytes)
        .await?;
    let mut tx = state.database.begin().await?;
    database::statement(images::complete(&mut tx, announced.id)).await?;
    commit_change(state, tx, announced.product_id).await
}

fn refused(reason: OutOfLimits) -> ApiError {
    CatalogueError::NotThatImage(reason).into()
}
