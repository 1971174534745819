//! S3: pictures.

use super::AwsError;
use crate::resilience::CallError;

/// A failure of the object store.
#[derive(Debug, thiserror::Error)]
#[error("the object store failed")]
pub struct ObjectError(#[from] pub CallError<AwsError>);
