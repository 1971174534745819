//! The bucket of the last-good catalogue.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use bytes::Bytes;
use time::OffsetDateTime;

use super::{AwsError, ObjectError};
use crate::resilience::{CallError, Intent, call};

/// A part of the last-good catalogue.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its bytes.
    pub bytes: Bytes,
    /// When they were written; the store knows whole seconds.
    pub written_at: OffsetDateTime,
    /// The store's name for exactly these.
    pub etag: String,
}

/// The bucket.
#[derive(Clone)]
pub struct KeptObjects {
    client: Client,
    bucket: String,
}

impl KeptObjects {
    /// Reaches the bucket of that name through `aws`.
    pub fn new(aws: &SdkConfig, bucket: String) -> Self {
        Self {
            client: super::client(aws),
            bucket,
        }
    }

    /// A part of the last-good catalogue; `None` when there is no such part.
    ///
    /// # Errors
    /// The store is away.
    pub async fn kept(&self, key: &str) -> Result<Option<Kept>, ObjectError> {
        let fetched = call(Intent::CatalogueRead, || async {
            let request = self.client.get_object().bucket(&self.bucket);
            let object = request.key(key).send().await?;
            let written = object.last_modified().map_or(0, DateTime::secs);
            let etag = object.e_tag().unwrap_or_default().to_owned();
            let body = object.body.collect().await;
            Ok::<_, AwsError>(Kept {
                bytes: body.map_err(AwsError::interrupted)?.into_bytes(),
                written_at: OffsetDateTime::from_unix_timestamp(written)
                    .unwrap_or(OffsetDateTime::UNIX_EPOCH),
                etag,
            })
        });
        match fetched.await {
            Ok(kept) => Ok(Some(kept)),
            Err(CallError::Failed { source, .. }) if source.code == "NoSuchKey" => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Keeps a part of the last-good catalogue in place of the one before. Safe to repeat.
    ///
    /// # Errors
    /// The store is away.
    pub async fn keep(&self, key: &str, bytes: Bytes) -> Result<(), ObjectError> {
        call(Intent::ObjectWrite, || async {
            self.client
                .put_object()
                .bucket(&self.bucket)
                .key(key)
                .content_type("application/json")
                .body(ByteStream::from(bytes.clone()))
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }

    /// Keeps a part in place of `before`. False when that is not what is there any
    /// more: somebody else was faster.
    ///
    /// # Errors
    /// The store is away.
    pub async fn replace(
        &self,
        key: &str,
        before: Option<&Kept>,
        bytes: Bytes,
    ) -> Result<bool, ObjectError> {
        let put = call(Intent::ObjectWrite, || async {
            let request = self.client.put_object().bucket(&self.bucket);
            let request = match before {
                Some(before) => request.if_match(&before.etag),
                None => request.if_none_match("*"),
            };
            let request = request.key(key).content_type("application/json");
            let sent = request.body(ByteStream::from(bytes.clone())).send().await;
            sent.map_err(AwsError::from)
        });
        match put.await {
            Ok(_) => Ok(true),
            // It changed, is being changed, or is gone.
            Err(CallError::Failed { source, .. })
                if matches!(source.status, Some(404 | 409 | 412)) =>
            {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes a part out of the last-good catalogue. Safe to repeat.
    ///
    /// # Errors
    /// The store is away.
    pub async fn drop_kept(&self, key: &str) -> Result<(), ObjectError> {
        call(Intent::ObjectWrite, || async {
            let request = self.client.delete_object().bucket(&self.bucket);
            request.key(key).send().await.map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }
}
