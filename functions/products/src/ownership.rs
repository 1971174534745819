//! Whose product it is, and what that means for who wants to change it.

use shared::domain::catalogue::Status;
use shared::http::{ApiError, Kind, Seller};
use uuid::Uuid;

/// Lets pass who may change a product of `owner`.
///
/// # Errors
/// 403 for somebody else's public product; 404 for one that they cannot even see.
pub fn may_change(seller: &Seller, owner: Uuid, status: Status) -> Result<(), ApiError> {
    if seller.may_change(owner) {
        Ok(())
    } else if status == Status::Active {
        Err(ApiError::new(Kind::Forbidden))
    } else {
        Err(ApiError::not_found())
    }
}
