//! Who can see a product.

use serde::{Deserialize, Serialize};

use super::CatalogueError;

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
    /// Lets a product of this status go to `next`, if there is one. What was
    /// archived is looked at again, as a draft, before it is sold again.
    ///
    /// # Errors
    /// It may not.
    pub fn check_change(self, next: Option<Self>) -> Result<(), CatalogueError> {
        match (self, next) {
            (Self::Archived, Some(Self::Active)) => Err(CatalogueError::ArchivedToActive),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Status::{Active, Archived, Draft};

    #[test]
    fn archived_product_becomes_a_draft_first() {
        assert!(Archived.check_change(Some(Active)).is_err());
        assert_eq!(Archived.check_change(None), Ok(()));
        for (from, to) in [
            (Draft, Active),
            (Active, Draft),
            (Archived, Draft),
            (Active, Archived),
        ] {
            assert_eq!(from.check_change(Some(to)), Ok(()), "{from:?} to {to:?}");
        }
    }
}
