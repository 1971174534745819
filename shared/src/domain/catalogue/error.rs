//! Why a change to the catalogue is refused.

use super::{OutOfLimits, Sku, Status};

/// A rule of the catalogue that a change would break.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// There is no such category.
    #[error("There is no such category.")]
    UnknownCategory,
    /// There is no category to be the parent.
    #[error("There is no such category.")]
    UnknownParent,
    /// Another category has the slug.
    #[error("Another category has this slug.")]
    CategoryTaken,
    /// A category would be below itself.
    #[error("A category cannot be below itself.")]
    CategoryCircle,
    /// Every slug that could be made from the title is taken.
    #[error("Every address made from this title is taken.")]
    SlugsTaken,
    /// Another product has the SKU.
    #[error("Another product has the SKU {}.", .0.as_str())]
    SkuTaken(Sku),
    /// Products do not go from this status to that.
    #[error("An archived product must become a draft before it is sold again.")]
    StatusChange {
        /// The present status.
        from: Status,
        /// The one that was asked for.
        to: Status,
    },
    /// Less would be on hand than is reserved.
    #[error("Less would be on hand than is reserved.")]
    StockBelowReserved,
    /// More would be on hand than can be counted.
    #[error("More would be on hand than 1,000,000,000.")]
    StockTooLarge,
    /// The product has as many pictures as it may have.
    #[error("The product has as many pictures as it may have.")]
    TooManyImages,
    /// What was uploaded is not the picture that was announced.
    #[error(transparent)]
    NotThatImage(#[from] OutOfLimits),
}
