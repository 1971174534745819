//! A page of a list, cut out of what is kept of the list.
//!
//! It does in memory what `store/listing.rs` has the database do, with two
//! differences: a search compares words as they are written, with those of title
//! and category, and its matches come newest first.

use crate::domain::catalogue::{Sort, SortKey};
use crate::store::listing::{Place, Wanted};
use crate::store::products::Card;

/// How well a product matches a search: all match alike. Above every rank that the
/// database gives, so that a cursor made here finds the whole list there.
const RANK: f32 = 1.0;

/// The order that the list must be kept in for what is wanted.
pub(super) fn kept_order(wanted: &Wanted) -> Sort {
    match wanted.sort {
        Sort::Relevance => Sort::Newest,
        sort => sort,
    }
}

/// The wanted page of a list that is kept in [`kept_order`].
pub(super) fn cut(list: Vec<(Place, Card)>, wanted: &Wanted) -> Vec<(Place, Card)> {
    let matching = list.into_iter().filter(|(_, card)| matches(card, wanted));
    let mut matching: Vec<_> = matching.collect();
    if wanted.sort == Sort::Relevance {
        for (place, _) in &mut matching {
            place.key = SortKey::Rank(RANK);
        }
    }
    let begin = wanted
        .after
        .as_ref()
        .map_or(0, |after| begin_after(&matching, after));
    let limit = usize::try_from(wanted.limit).unwrap_or_default();
    matching.into_iter().skip(begin).take(limit).collect()
}

/// Where the list goes on after `after`: behind the product that ended the page
/// before or, when that one is gone, at the first with a later place.
fn begin_after(list: &[(Place, Card)], after: &Place) -> usize {
    if let Some(at) = list.iter().position(|(place, _)| place.id == after.id) {
        return at + 1;
    }
    let is_later = |(place, _): &(Place, Card)| comes_later(place, after, list);
    list.iter().position(is_later).unwrap_or(list.len())
}

fn comes_later(place: &Place, after: &Place, list: &[(Place, Card)]) -> bool {
    let ids = place.id.cmp(&after.id);
    match (&place.key, &after.key) {
        // Newest first.
        (SortKey::Created(at), SortKey::Created(end)) => at.cmp(end).then(ids).is_lt(),
        (SortKey::Price(price), SortKey::Price(end)) if is_descending(list) => {
            price.cmp(end).then(ids).is_lt()
        }
        (SortKey::Price(price), SortKey::Price(end)) => price.cmp(end).then(ids).is_gt(),
        (SortKey::Name(name), SortKey::Name(end)) => name.cmp(end).then(ids).is_gt(),
        // Ranks of here and of the database cannot be compared: rather twice than never.
        _ => true,
    }
}

/// A list of one price is in the order of its ids.
fn is_descending(list: &[(Place, Card)]) -> bool {
    let ends = list.first().zip(list.last());
    ends.is_some_and(|((first, _), (last, _))| match (&first.key, &last.key) {
        (SortKey::Price(first_price), SortKey::Price(last_price)) => {
            (first_price, first.id) > (last_price, last.id)
        }
        _ => false,
    })
}

fn matches(card: &Card, wanted: &Wanted) -> bool {
    let price = card.price_from_minor;
    let in_stock = || card.variants.iter().any(|variant| variant.available > 0);
    wanted.price_min.is_none_or(|min| price >= min)
        && wanted.price_max.is_none_or(|max| price <= max)
        && wanted.in_stock.is_none_or(|wanted| wanted == in_stock())
        && wanted
            .words
            .as_ref()
            .is_none_or(|words| has_words(card, words))
}

/// Whether every word begins some word of the title or the category.
fn has_words(card: &Card, words: &[String]) -> bool {
    let text = format!("{} {}", card.title, card.category).to_lowercase();
    let parts: Vec<&str> = text.split(|c: char| !c.is_alphanumeric()).collect();
    let is_there = |word: &String| parts.iter().any(|part| part.starts_with(word.as_str()));
    !words.is_empty() && words.iter().all(is_there)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    fn card(n: u128, title: &str, price: i64, available: i64) -> Card {
        let at = "2026-01-01T00:00:00Z";
        let variant = json!({"sku": format!("S-{n}"), "title": "", "options": {"colour": "blue"},
            "price_minor": price, "available": available});
        // From text: a raw value cannot be made from a tree.
        serde_json::from_str(
            &json!({"id": Uuid::from_u128(n), "slug": title, "title": title, "category": "kitchen",
                "status": "active", "version": 1, "price_from_minor": price, "created_at": at,
                "updated_at": at, "variants": [variant], "images": []})
            .to_string(),
        )
        .unwrap()
    }

    fn newest() -> Vec<(Place, Card)> {
        let cards = [
            card(4, "Stoneware Mug", 900, 3),
            card(3, "Travel mug", 1900, 0),
            card(2, "Bread knife", 2900, 5),
            card(1, "Mug tree", 2500, 1),
        ];
        let placed = |card: Card| {
            let key = SortKey::Created(i64::try_from(card.id.as_u128()).unwrap());
            (Place { key, id: card.id }, card)
        };
        cards.into_iter().map(placed).collect()
    }

    fn by_price(sort: Sort) -> Vec<(Place, Card)> {
        let mut list = newest();
        for (place, card) in &mut list {
            place.key = SortKey::Price(card.price_from_minor);
        }
        list.sort_by_key(|(place, card)| (card.price_from_minor, place.id));
        if sort == Sort::PriceDesc {
            list.reverse();
        }
        list
    }

    fn wanted(sort: Sort) -> Wanted {
        Wanted {
            words: None,
            category: None,
            price_min: None,
            price_max: None,
            in_stock: None,
            sort,
            after: None,
            limit: 10,
        }
    }

    fn ids(list: &[(Place, Card)]) -> Vec<u128> {
        list.iter().map(|(_, card)| card.id.as_u128()).collect()
    }

    #[test]
    fn filters_hold() {
        let cases = [
            (
                Wanted {
                    price_min: Some(1900),
                    ..wanted(Sort::Newest)
                },
                vec![3, 2, 1],
            ),
            (
                Wanted {
                    price_max: Some(1900),
                    ..wanted(Sort::Newest)
                },
                vec![4, 3],
            ),
            (
                Wanted {
                    in_stock: Some(true),
                    ..wanted(Sort::Newest)
                },
                vec![4, 2, 1],
            ),
            (
                Wanted {
                    in_stock: Some(false),
                    ..wanted(Sort::Newest)
                },
                vec![3],
            ),
            (
                Wanted {
                    limit: 2,
                    ..wanted(Sort::Newest)
                },
                vec![4, 3],
            ),
        ];
        for (wanted, expected) in cases {
            assert_eq!(ids(&cut(newest(), &wanted)), expected, "{wanted:?}");
        }
    }

    #[test]
    fn words_are_looked_for_in_title_and_category() {
        let search = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            let wanted = Wanted {
                words: Some(words),
                ..wanted(Sort::Relevance)
            };
            ids(&cut(newest(), &wanted))
        };
        assert_eq!(search(&["mug"]), [4, 3, 1]);
        assert_eq!(search(&["mug", "stone"]), [4]);
        assert_eq!(search(&["kitchen", "knife"]), [2]);
        assert!(search(&["ug"]).is_empty() && search(&[]).is_empty());
    }

    #[test]
    fn pages_follow_each_other_in_every_order() {
        for (sort, list) in [
            (Sort::Newest, newest()),
            (Sort::PriceAsc, by_price(Sort::PriceAsc)),
            (Sort::PriceDesc, by_price(Sort::PriceDesc)),
        ] {
            let all = ids(&list);
            let first = cut(
                list.clone(),
                &Wanted {
                    limit: 2,
                    ..wanted(sort)
                },
            );
            let after = first.last().map(|(place, _)| place.clone());
            let second = cut(
                list.clone(),
                &Wanted {
                    after,
                    ..wanted(sort)
                },
            );
            assert_eq!([ids(&first), ids(&second)].concat(), all, "{sort:?}");
        }
    }

    #[test]
    fn page_goes_on_where_a_product_is_gone() {
        for (sort, list) in [
            (Sort::Newest, newest()),
            (Sort::PriceAsc, by_price(Sort::PriceAsc)),
            (Sort::PriceDesc, by_price(Sort::PriceDesc)),
        ] {
            let after = Some(list[1].0.clone());
            let rest = ids(&list[2..]);
            let left: Vec<_> = list
                .into_iter()
                .filter(|(place, _)| Some(place) != after.as_ref())
                .collect();
            assert_eq!(
                ids(&cut(
                    left,
                    &Wanted {
                        after,
                        ..wanted(sort)
                    }
                )),
                rest,
                "{sort:?}"
            );
        }
    }

    #[test]
    fn search_goes_on_after_a_cursor_of_the_database() {
        let search = |id: u128| {
            let after = Some(Place {
                key: SortKey::Rank(0.06),
                id: Uuid::from_u128(id),
            });
            let words = Some(vec!["mug".to_owned()]);
            ids(&cut(
                newest(),
                &Wanted {
                    words,
                    after,
                    ..wanted(Sort::Relevance)
                },
            ))
        };
        assert_eq!(search(4), [3, 1]);
        // Its place here is not known: rather twice than never.
        assert_eq!(search(99), [4, 3, 1]);
    }
}
