//! What people look at and buy, made into what is recommended and counted.

use std::collections::{BTreeMap, BTreeSet};

use shared::domain::activity::{Activity, ActivityKind};
use shared::domain::trending::Heat;
use shared::store::activities::{self, Visitor};
use shared::store::database::Connection;
use shared::store::{StoreError, recommendations};
use uuid::Uuid;

use crate::AppState;

/// What browsers reported in one message, each standing for so many.
pub(crate) type Report<'a> = (u32, &'a [Activity]);

/// Counts what browsers reported. Each of their events once, however often it comes.
pub(crate) async fn count(state: &AppState, reports: &[Report<'_>]) -> Result<(), StoreError> {
    if reports.is_empty() {
        return Ok(());
    }
    state
        .database
        .transact(async |tx| count_in(tx, reports).await)
        .await
}

async fn count_in(tx: &mut Connection, reports: &[Report<'_>]) -> Result<(), StoreError> {
    let ids = reports.iter().flat_map(|(_, activities)| *activities);
    let ids: Vec<Uuid> = ids.map(|activity| activity.id).collect();
    let new = activities::count_once(tx, &ids).await?;
    let (heats, visitors) = sum_up(reports, &new);
    activities::warm(tx, &Vec::from_iter(heats)).await?;
    activities::see(tx, &Vec::from_iter(visitors)).await?;
    Ok(())
}

/// What the new ones come to, by product and by visitor.
fn sum_up(reports: &[Report<'_>], new: &[Uuid]) -> (BTreeMap<Uuid, Heat>, BTreeMap<Uuid, Visitor>) {
    let mut heats: BTreeMap<Uuid, Heat> = BTreeMap::new();
    let mut visitors = BTreeMap::new();
    // Of an event that is in a batch twice, one counts.
    let mut left: BTreeSet<Uuid> = new.iter().copied().collect();
    for (weight, activities) in reports {
        for activity in *activities {
            if !left.remove(&activity.id) {
                continue;
            }
            let points = activity.kind.points().saturating_mul(*weight);
            if let Some(product) = activity.product_id.filter(|_| points > 0) {
                let heat = Heat::of(points, activity.at);
                let sum = heats.get(&product).map_or(heat, |sum| sum.and(heat));
                heats.insert(product, sum);
            }
            if let Some(visitor) = activity.visitor {
                see(&mut visitors, visitor, *weight, activity);
            }
        }
    }
    (heats, visitors)
}

fn see(visitors: &mut BTreeMap<Uuid, Visitor>, id: Uuid, weight: u32, activity: &Activity) {
    let added_at = (activity.kind == ActivityKind::AddedToCart).then_some(activity.at);
    let weight = i32::try_from(weight.max(1)).unwrap_or(i32::MAX);
    let visitor = visitors.entry(id).or_insert(Visitor {
        weight,
        seen_at: activity.at,
        added_at,
    });
    visitor.weight = visitor.weight.min(weight);
    visitor.seen_at = visitor.seen_at.max(activity.at);
    visitor.added_at = visitor.added_at.max(added_at);
}

/// Brings what was bought together with the products of these orders to what the orders say now.
pub(crate) async fn recommend(state: &AppState, orders: &[Uuid]) -> Result<(), StoreError> {
    if orders.is_empty() {
        return Ok(());
    }
    let products = state
        .database
        .write(async |tx| recommendations::products_of(tx, orders).await);
    // Each by itself, so that nobody waits for more than one lock.
    for product in products.await? {
        state
            .database
            .write(async |tx| recommendations::refresh(tx, product).await)
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    fn activity(id: u128, kind: ActivityKind, visitor: Option<u128>) -> Activity {
        Activity {
            id: Uuid::from_u128(id),
            kind,
            at: OffsetDateTime::UNIX_EPOCH + time::Duration::hours(i64::try_from(id).unwrap()),
            product_id: kind.needs_product().then(|| Uuid::from_u128(7)),
            visitor: visitor.map(Uuid::from_u128),
        }
    }

    fn ids(ids: &[u128]) -> Vec<Uuid> {
        ids.iter().map(|id| Uuid::from_u128(*id)).collect()
    }

    #[test]
    fn each_new_event_counts_once() {
        let view = [activity(1, ActivityKind::ProductViewed, None)];
        let twice: [Report<'_>; 2] = [(1, view.as_slice()), (1, view.as_slice())];
        let (once, _) = sum_up(&twice[..1], &ids(&[1]));
        assert_eq!(sum_up(&twice, &ids(&[1])).0, once);
        assert_eq!(once.len(), 1);
        assert!(sum_up(&twice, &[]).0.is_empty());
    }

    #[test]
    fn visitor_is_one_with_the_latest_of_everything() {
        let all = [
            activity(1, ActivityKind::AddedToCart, Some(5)),
            activity(3, ActivityKind::Search, Some(5)),
            activity(2, ActivityKind::ProductViewed, Some(5)),
        ];
        let reports: [Report<'_>; 2] = [(10, &all[..2]), (1, &all[2..])];
        let (heats, visitors) = sum_up(&reports, &ids(&[1, 2, 3]));
        let expected = Visitor {
            weight: 1,
            seen_at: all[1].at,
            added_at: Some(all[0].at),
        };
        assert_eq!(visitors[&Uuid::from_u128(5)], expected);
        assert_eq!((heats.len(), visitors.len()), (1, 1));
    }

    #[test]
    fn product_in_a_cart_is_worth_more_than_one_that_is_looked_at() {
        let heat = |kind, weight| {
            let one = [activity(1, kind, None)];
            sum_up(&[(weight, one.as_slice())], &ids(&[1])).0[&Uuid::from_u128(7)]
        };
        let viewed = heat(ActivityKind::ProductViewed, 1);
        assert!(heat(ActivityKind::AddedToCart, 1) > viewed);
        assert!(heat(ActivityKind::ProductViewed, 10) > viewed);
    }
}
