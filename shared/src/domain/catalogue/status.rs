//! Who can see a product.

use serde::{Deserialize, Serialize};

/// Where a product stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Status {
    /// Being prepared: its seller and admins see it.
    Draft,
    /// On sale: everybody sees it.
    Active,
    /// Off sale for good: its seller and admins see it, and it can become a draft again.
    Archived,
}

impl Status {
    /// Whether a product may go from this status to `next`. What was archived is
    /// looked at again, as a draft, before it is sold again.
    pub const fn may_become(self, next: Self) -> bool {
        !matches!((self, next), (Self::Archived, Self::Active))
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{Active, Archived, Draft};

    #[test]
    fn archived_product_becomes_a_draft_first() {
        assert!(!Archived.may_become(Active));
        for (from, to) in [
            (Draft, Active),
            (Active, Draft),
            (Archived, Draft),
            (Active, Archived),
        ] {
            assert!(from.may_become(to), "{from:?} to {to:?}");
        }
    }
}
