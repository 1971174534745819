//! From the errors of the inside, which know nothing of HTTP, to what clients see.

use super::{ApiError, Kind};
use crate::domain::catalogue::CatalogueError;
use crate::dynamo::DynamoError;
use crate::providers::objects::ObjectError;
use crate::providers::secrets::SecretError;
use crate::providers::signing::TokenError;
use crate::store::{ChangeError, StoreError};

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::unavailable(error),
            StoreError::Constraint(..) | StoreError::Defect(_) => Self::internal(error),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}

impl<E: Into<Self>> From<ChangeError<E>> for ApiError {
    fn from(error: ChangeError<E>) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Store(error) => error.into(),
        }
    }
}

impl From<CatalogueError> for ApiError {
    fn from(error: CatalogueError) -> Self {
        let reason = error.to_string();
        match error {
            CatalogueError::UnknownCategory => Self::invalid("/category", reason),
            CatalogueError::UnknownParent => Self::invalid("/parent", reason),
            CatalogueError::NotThatImage(_) => Self::new(Kind::Invalid).detail(reason),
            CatalogueError::CategoryTaken
            | CatalogueError::CategoryCircle
            | CatalogueError::SlugsTaken
            | CatalogueError::SkuTaken(_)
            | CatalogueError::ArchivedToActive
            | CatalogueError::StockBelowReserved
            | CatalogueError::StockTooLarge
            | CatalogueError::TooManyImages => Self::new(Kind::Conflict).detail(reason),
        }
    }
}

impl From<DynamoError> for ApiError {
    fn from(error: DynamoError) -> Self {
        match error {
            DynamoError::Unavailable(_) => Self::unavailable(error),
            DynamoError::ConditionFailed => Self::new(Kind::Conflict),
            DynamoError::Defect(_) => Self::internal(error),
        }
    }
}

impl From<SecretError> for ApiError {
    fn from(error: SecretError) -> Self {
        Self::unavailable(error)
    }
}

impl From<ObjectError> for ApiError {
    fn from(error: ObjectError) -> Self {
        Self::unavailable(error)
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::new(Kind::Unauthorized),
            TokenError::KeysUnavailable(_) => Self::unavailable(error),
        }
    }
}
