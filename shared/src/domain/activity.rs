//! What people do in a shop's pages, as browsers report it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::ids;

/// What somebody did.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// Looked at a product.
    ProductViewed,
    /// Put a product into a cart.
    AddedToCart,
    /// Searched.
    Search,
}

impl ActivityKind {
    /// How much it says about a product: who puts it into a cart means it.
    pub const fn points(self) -> u32 {
        match self {
            Self::ProductViewed => 1,
            Self::AddedToCart => 5,
            Self::Search => 0,
        }
    }

    /// Whether it is about a product.
    pub const fn needs_product(self) -> bool {
        self.points() > 0
    }
}

/// One thing that somebody did. What they searched for is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    /// The browser's own id of it: a repeat counts once.
    pub id: Uuid,
    /// What it was.
    pub kind: ActivityKind,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// About which product.
    pub product_id: Option<Uuid>,
    /// By whom, as far as somebody stays the same from page to page.
    pub visitor: Option<Uuid>,
}

/// A visitor, made of a browser's session, so that its own name for it is kept nowhere.
pub fn visitor(session: &str) -> Uuid {
    ids::derived("visitor", Uuid::nil(), session)
}

impl Activity {
    /// Whether it is among the ones that are kept when one in `weight` is. Of a visitor all are or
    /// none is, so visitors can be counted; and who is kept when few are is kept when more are.
    pub fn is_kept(&self, weight: u32) -> bool {
        // A browser chooses the id, so it does not choose by itself.
        let of_nobody = || ids::derived("activity", self.id, "");
        let [a, b, c, d, ..] = self.visitor.unwrap_or_else(of_nobody).into_bytes();
        u32::from_be_bytes([a, b, c, d]).is_multiple_of(weight.max(1))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn activity(id: u128, session: Option<&str>) -> Activity {
        Activity {
            id: Uuid::from_u128(id),
            kind: ActivityKind::ProductViewed,
            at: OffsetDateTime::UNIX_EPOCH,
            product_id: None,
            visitor: session.map(visitor),
        }
    }

    #[test]
    fn about_one_in_ten_is_kept() {
        for of in [None, Some(())] {
            let kept = (0..10_000).filter(|id| {
                let session = of.map(|()| format!("session {id}"));
                activity(*id, session.as_deref()).is_kept(10)
            });
            let kept = kept.count();
            assert!((850..1_150).contains(&kept), "{kept}");
        }
    }

    proptest! {
        #[test]
        fn all_of_a_visitor_are_kept_or_none(one: u128, other: u128, session: u64, weight in 0_u32..200) {
            let session = session.to_string();
            let [one, other] = [one, other].map(|id| activity(id, Some(&session)).is_kept(weight));
            prop_assert_eq!(one, other);
        }

        #[test]
        fn who_is_kept_among_few_is_kept_among_more(id: u128) {
            let activity = activity(id, None);
            prop_assert!(activity.is_kept(1));
            prop_assert!(!activity.is_kept(100) || activity.is_kept(10));
        }
    }
}
