//! Pictures: where they are kept, read and uploaded to.

use super::Reader;

/// Pictures.
#[derive(Debug, Clone)]
pub struct MediaConfig {
    /// The bucket.
    pub bucket: String,
    /// Where browsers read pictures.
    pub base_url: String,
    /// Where browsers upload, if not the bucket's own address.
    pub upload_url: Option<String>,
}

impl MediaConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let upload_url = reader.url_if_given("MEDIA_UPLOAD_URL");
        if upload_url.is_some() && reader.is_production() {
            reader.fault(
                "MEDIA_UPLOAD_URL",
                "is a local stack's: leave it out in production, where browsers upload to the bucket",
            );
        }
        Self {
            bucket: reader.text("MEDIA_BUCKET"),
            base_url: reader.url("MEDIA_BASE_URL"),
            upload_url,
        }
    }
}
