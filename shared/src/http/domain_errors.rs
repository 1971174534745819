//! From the errors of the inside, which know nothing of HTTP, to what clients see.

use serde_json::json;

use super::{ApiError, Kind};
use crate::domain::accounts::AccountError;
use crate::domain::catalogue::CatalogueError;
use crate::domain::flags::FeatureDisabled;
use crate::domain::order::OrderError;
use crate::domain::sealed::BrokenSeal;
use crate::domain::secrets::NoRandomness;
use crate::dynamo::DynamoError;
use crate::operations::OperationError;
use crate::providers::objects::ObjectError;
use crate::providers::passwords::PasswordError;
use crate::providers::payments::PaymentError;
use crate::providers::secrets::SecretError;
use crate::providers::signing::{SignError, TokenError};
use crate::resilience::policies::DISABLED_RETRY_AFTER;
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

impl From<FeatureDisabled> for ApiError {
    fn from(FeatureDisabled(flag): FeatureDisabled) -> Self {
        Self::new(Kind::FeatureDisabled)
            .member("feature", flag.name())
            .retry_after(DISABLED_RETRY_AFTER)
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let pointer = match error {
            AccountError::Credentials => return Self::new(Kind::InvalidCredentials),
            AccountError::NoSecondFactor | AccountError::LastAdmin | AccountError::StillSelling => {
                return Self::new(Kind::Conflict).detail(error.to_string());
            }
            AccountError::Email | AccountError::EmailLooksLikeAnother => "/email",
            AccountError::Name => "/name",
            AccountError::PasswordTooShort
            | AccountError::PasswordTooLong
            | AccountError::PasswordTooCommon
            | AccountError::PasswordContainsAddress => "/password",
            AccountError::MailToken => "/token",
            AccountError::Code => "/code",
        };
        Self::invalid(pointer, error.to_string())
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy => Self::unavailable(error),
            PasswordError::Hash(_) | PasswordError::Lost(_) => Self::internal(error),
        }
    }
}

impl From<SignError> for ApiError {
    fn from(error: SignError) -> Self {
        match error {
            SignError::KeysUnavailable(_) | SignError::Revoked => Self::unavailable(error),
            SignError::Damaged(_) => Self::internal(error),
        }
    }
}

impl From<BrokenSeal> for ApiError {
    fn from(error: BrokenSeal) -> Self {
        Self::internal(error)
    }
}

impl From<NoRandomness> for ApiError {
    fn from(error: NoRandomness) -> Self {
        Self::unavailable(error)
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

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::UnknownSkus(skus) => skus
                .into_iter()
                .fold(Self::new(Kind::Invalid), |error, sku| {
                    error.field("/lines", format!("{sku} is not for sale"))
                }),
            OrderError::InsufficientStock(shortages) => Self::new(Kind::InsufficientStock)
                .detail("Fewer units are left than you asked for.")
                .member("shortages", json!(shortages)),
            OrderError::TotalChanged(total) => Self::new(Kind::TotalChanged)
                .detail(format!("It is {total} now."))
                .member("total", json!(total)),
            OrderError::TotalTooLarge => {
                Self::invalid("/lines", "come to more than one payment can carry")
            }
            OrderError::UnknownPaymentMethod => {
                Self::not_found().field("/payment/payment_method_id", "is not one of yours")
            }
            OrderError::AccountClosed => Self::new(Kind::Unauthorized),
            OrderError::NotFound => Self::not_found(),
            OrderError::Conflict(reason) => Self::new(Kind::Conflict).detail(reason),
        }
    }
}

impl From<OperationError> for ApiError {
    fn from(error: OperationError) -> Self {
        match error {
            OperationError::Order(error) => error.into(),
            OperationError::Store(error) => error.into(),
            OperationError::Dynamo(error) => error.into(),
            OperationError::Payment(error) => error.into(),
        }
    }
}

impl From<PaymentError> for ApiError {
    fn from(error: PaymentError) -> Self {
        Self::unavailable(error)
    }
}
