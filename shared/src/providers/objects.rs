//! S3: pictures; the last-good catalogue has a bucket of its own (`kept.rs`). Browsers upload
//! pictures to `uploads/` with a form that is signed here; what proved to be a
//! picture is written to `products/`, where anyone may read it.

mod form;
mod kept;

pub use form::UploadForm;
pub use kept::{Kept, KeptObjects};

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use time::OffsetDateTime;

use super::AwsError;
use crate::config::MediaConfig;
use crate::domain::catalogue::{ByteSize, MediaType};
use crate::resilience::{CallError, Intent, call};
use form::{Conditions, Signer};

/// A failure of the object store.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// It cannot be reached or refused a request.
    #[error("the object store failed")]
    Failed(#[from] CallError<AwsError>),
    /// There are no credentials to sign with.
    #[error("an upload cannot be signed")]
    Unsigned(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An object that somebody uploaded.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// As it was declared.
    pub content_type: String,
    /// As the store counts it.
    pub byte_size: i64,
    /// Its bytes; empty when there are more than were wanted.
    pub bytes: Bytes,
}

/// The bucket.
#[derive(Clone)]
pub struct Objects {
    client: Client,
    media: MediaConfig,
    credentials: Option<SharedCredentialsProvider>,
    region: String,
}

impl Objects {
    /// Reaches the bucket that `media` names through `aws`.
    pub fn new(aws: &SdkConfig, media: MediaConfig) -> Self {
        Self {
            client: client(aws),
            media,
            credentials: aws.credentials_provider(),
            region: aws.region().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// Whether the bucket of pictures answers. A form is signed without asking it.
    ///
    /// # Errors
    /// The store is away.
    pub async fn reach(&self) -> Result<(), ObjectError> {
        call(Intent::ObjectRead, || async {
            let question = self.client.head_bucket().bucket(&self.media.bucket);
            question.send().await.map(drop).map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }

    /// A form with which a browser can upload exactly one object: this key, this
    /// kind, this size. The bucket itself refuses anything else.
    ///
    /// # Errors
    /// There are no credentials to sign with. The bucket is not asked.
    pub async fn upload_form(
        &self,
        key: &str,
        media_type: MediaType,
        byte_size: ByteSize,
        now: OffsetDateTime,
    ) -> Result<UploadForm, ObjectError> {
        let provider = self.credentials.as_ref();
        let provider = provider.ok_or_else(|| ObjectError::Unsigned("no credentials".into()))?;
        let credentials = provider
            .provide_credentials()
            .await
            .map_err(|error| ObjectError::Unsigned(error.into()))?;
        let signer = Signer {
            access_key: credentials.access_key_id(),
            secret_key: credentials.secret_access_key(),
            session_token: credentials.session_token(),
            region: &self.region,
        };
        let bucket = &self.media.bucket;
        let conditions = Conditions {
            bucket,
            key,
            content_type: media_type.as_str(),
            byte_size: byte_size.get(),
        };
        Ok(signer.sign(self.upload_url(), &conditions, now))
    }

    /// What was uploaded as `key`; `None` when nothing was. Bytes beyond
    /// `byte_size` are not fetched.
    ///
    /// # Errors
    /// The store is away.
    pub async fn uploaded(
        &self,
        key: &str,
        byte_size: ByteSize,
    ) -> Result<Option<Uploaded>, ObjectError> {
        let fetched = call(Intent::ObjectRead, || self.fetch(key, byte_size)).await;
        match fetched {
            Ok(uploaded) => Ok(Some(uploaded)),
            Err(CallError::Failed { source, .. }) if source.code == "NoSuchKey" => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn fetch(&self, key: &str, byte_size: ByteSize) -> Result<Uploaded, AwsError> {
        let request = self.client.get_object().bucket(&self.media.bucket).key(key);
        let object = request.send().await?;
        let found = object.content_length().unwrap_or_default();
        let content_type = object.content_type().unwrap_or_default().to_owned();
        let bytes = if found == byte_size.get() {
            object
                .body
                .collect()
                .await
                .map_err(AwsError::interrupted)?
                .into_bytes()
        } else {
            Bytes::new()
        };
        Ok(Uploaded {
            content_type,
            byte_size: found,
            bytes,
        })
    }

    /// Writes a picture for everybody to read, for good. Safe to repeat.
    ///
    /// # Errors
    /// The store is away.
    pub async fn publish(
        &self,
        key: &str,
        media_type: MediaType,
        bytes: Bytes,
    ) -> Result<(), ObjectError> {
        call(Intent::ObjectWrite, || async {
            self.client
                .put_object()
                .bucket(&self.media.bucket)
                .key(key)
                .content_type(media_type.as_str())
                // A key is never written with other bytes.
                .cache_control("public, max-age=31536000, immutable")
                .body(ByteStream::from(bytes.clone()))
                .send()
                .await
                .map_err(AwsError::from)
        })
        .await?;
        Ok(())
    }

    fn upload_url(&self) -> String {
        let bucket = &self.media.bucket;
        match &self.media.upload_url {
            Some(endpoint) => format!("{}/{bucket}", endpoint.trim_end_matches('/')),
            None => format!("https://{bucket}.s3.{}.amazonaws.com/", self.region),
        }
    }
}

fn client(aws: &SdkConfig) -> Client {
    // A bucket's own host name does not resolve where the endpoint is an emulator's.
    let settings =
        aws_sdk_s3::config::Builder::from(aws).force_path_style(aws.endpoint_url().is_some());
    Client::from_conf(settings.build())
}
