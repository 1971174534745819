//! What is sold: products, variants, categories, pictures and their limits.

mod error;
mod options;
mod picture;
mod price;
mod sku;
mod slug;
mod sort;
mod status;
mod text;

pub use error::CatalogueError;
pub use options::Options;
pub use picture::{ByteSize, MediaType};
pub use price::Price;
pub use sku::Sku;
pub use slug::Slug;
pub use sort::{Sort, SortKey};
pub use status::Status;
pub use text::{Alt, Description, Reason, Title, VariantTitle};

/// The most variants that a product may have.
pub const VARIANTS_MAX: usize = 100;

/// The most pictures that a product may have.
pub const IMAGES_MAX: i64 = 20;

/// A value outside of its type's limits; the text says what it must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutOfLimits(pub &'static str);
