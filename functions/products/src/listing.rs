//! The list of products: filters, orders, pages.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use shared::domain::catalogue::{Slug, Sort};
use shared::domain::flags::Flag;
use shared::http::idempotency::fingerprint;
use shared::http::{ApiError, Kind, LastGoodRead, Page, PageQuery, Problem, Query, Representation};
use shared::store::listing::{self, Place, Wanted};
use shared::store::products::Card;
use utoipa::IntoParams;

use crate::AppState;
use crate::views::ProductItem;

/// A search looks at so many words.
const WORDS_MAX: usize = 8;

/// Which products, in which order.
#[derive(Debug, Clone, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filters {
    /// Words to search for. The last letters may be missing, and a typo is forgiven.
    #[param(max_length = 200, example = "ceramic mug")]
    q: Option<String>,
    /// A category's slug; products of the categories below it are included.
    #[param(value_type = Option<String>, example = "kitchen")]
    category: Option<Slug>,
    /// The lowest price of a product's variants is at least this, in minor units.
    #[param(minimum = 0, example = 500)]
    min_price: Option<i64>,
    /// The lowest price of a product's variants is at most this, in minor units.
    #[param(minimum = 0, example = 5000)]
    max_price: Option<i64>,
    /// `true`: something can be bought; `false`: sold out.
    in_stock: Option<bool>,
    /// `relevance` is the default with `q`, `newest` without.
    #[param(inline)]
    sort: Option<Sort>,
}

/// Where a page ended, and of which list.
#[derive(Serialize, Deserialize)]
struct Position<L> {
    list: L,
    place: Place,
}

/// The products on sale.
#[utoipa::path(
    get, path = "/products", tag = "catalogue", params(Filters, PageQuery),
    responses(
        (status = 200, body = Page<ProductItem>, description = "A page of products",
            headers(("ETag"), ("Age"), ("X-Cache" = String, description = "HIT, MISS or STALE"))),
        (status = 304, description = "It is still as `If-None-Match` says"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "The cursor is not one of this list"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A parameter is at fault"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database is away and nothing is kept"),
    )
)]
pub async fn list_products(
    State(state): State<AppState>,
    Query(filters): Query<Filters>,
    Query(page): Query<PageQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if filters.q.is_some() {
        state.flags.require(Flag::Search).await?;
    }
    // Of what was understood, so that made-up parameters do not get past the cache.
    let key = format!("products?{filters:?}{page:?}");
    let understand = || {
        let list = filters.list()?;
        Ok::<_, ApiError>((wanted(&filters, &page, &list)?, list))
    };
    let read = async || {
        let (wanted, list) = understand()?;
        represent(&state, read_page(&state, &wanted).await?, &wanted, &list)
    };
    let last_good = async || {
        let (wanted, list) = understand()?;
        let found = state.last_good.list(&wanted).await;
        let found = found.map_err(ApiError::unavailable)?;
        Ok(LastGoodRead {
            representation: represent(&state, found.value, &wanted, &list)?,
            written_at: found.written_at,
        })
    };
    state.reads.answer(key, &headers, read, last_good).await
}

async fn read_page(state: &AppState, wanted: &Wanted) -> Result<Vec<(Place, Card)>, ApiError> {
    let read = |pool| async move { listing::page(&pool, wanted).await };
    Ok(if state.reads.wrote_recently() {
        state.database.read_own(read).await?
    } else {
        state.database.read(read).await?
    })
}

fn represent(
    state: &AppState,
    rows: Vec<(Place, Card)>,
    wanted: &Wanted,
    list: &str,
) -> Result<Representation, ApiError> {
    let limit = usize::try_from(wanted.limit - 1).unwrap_or_default();
    let end = |(place, _): &(Place, Card)| Position {
        list,
        place: place.clone(),
    };
    let page = Page::cut(rows, limit, end)?;
    Representation::of(&page.map(|(_, card)| ProductItem::of(card, &state.config)))
}

fn wanted(filters: &Filters, page: &PageQuery, list: &str) -> Result<Wanted, ApiError> {
    let sort = filters.sort();
    for (name, price) in [
        ("min_price", filters.min_price),
        ("max_price", filters.max_price),
    ] {
        if price.is_some_and(|price| price < 0) {
            return Err(ApiError::invalid(name, "must not be negative"));
        }
    }
    if filters
        .min_price
        .zip(filters.max_price)
        .is_some_and(|(min, max)| min > max)
    {
        return Err(ApiError::invalid(
            "max_price",
            "must not be below min_price",
        ));
    }
    if sort == Sort::Relevance && filters.q.is_none() {
        return Err(ApiError::invalid("sort", "relevance needs q"));
    }
    let position: Option<Position<String>> = page.position()?;
    let is_of_this_list =
        |position: &Position<String>| position.list == list && position.place.key.fits(sort);
    if !position.as_ref().is_none_or(is_of_this_list) {
        return Err(ApiError::new(Kind::InvalidCursor).detail("It is of another list."));
    }
    Ok(Wanted {
        words: filters.q.as_deref().map(words).transpose()?,
        category: filters.category.clone(),
        price_min: filters.min_price,
        price_max: filters.max_price,
        in_stock: filters.in_stock,
        sort,
        after: position.map(|position| position.place),
        limit: i64::try_from(page.limit()? + 1).unwrap_or(i64::MAX),
    })
}

impl Filters {
    fn sort(&self) -> Sort {
        let default = if self.q.is_some() {
            Sort::Relevance
        } else {
            Sort::Newest
        };
        self.sort.unwrap_or(default)
    }

    /// A short name of the list, so that a cursor of another one is told apart.
    fn list(&self) -> Result<String, ApiError> {
        let list = (
            self.sort(),
            &self.q,
            &self.category,
            self.min_price,
            self.max_price,
        );
        let list = fingerprint("products", &(list, self.in_stock))?;
        Ok(list.as_bytes()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }
}

/// The words of a search: letters and digits, in lower case.
fn words(q: &str) -> Result<Vec<String>, ApiError> {
    if q.chars().count() > 200 {
        return Err(ApiError::invalid("q", "must be at most 200 characters"));
    }
    let words = q
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty());
    let short = |word: &str| word.chars().take(64).flat_map(char::to_lowercase).collect();
    Ok(words.map(short).take(WORDS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(q: Option<&str>) -> Filters {
        Filters {
            q: q.map(ToOwned::to_owned),
            category: None,
            min_price: None,
            max_price: None,
            in_stock: None,
            sort: None,
        }
    }

    #[test]
    fn words_are_plain() {
        assert_eq!(
            words("  T-Shirt, 'BLÅ' & (x)|!:* ").unwrap(),
            ["t", "shirt", "blå", "x"]
        );
        assert!(words(&"x".repeat(201)).is_err());
    }

    #[test]
    fn search_is_sorted_by_relevance_and_the_rest_by_age() {
        assert_eq!(filters(Some("mug")).sort(), Sort::Relevance);
        assert_eq!(filters(None).sort(), Sort::Newest);
    }

    #[test]
    fn cursor_of_another_list_is_refused() {
        let position = Position {
            list: filters(None).list().unwrap(),
            place: Place {
                key: shared::domain::catalogue::SortKey::Created(1),
                id: uuid::Uuid::nil(),
            },
        };
        let cursor = shared::http::encode_cursor(&position).unwrap();
        let page = |cursor: &str| -> PageQuery {
            serde_json::from_value(serde_json::json!({"cursor": cursor})).unwrap()
        };
        let ask = |filters: Filters| {
            let list = filters.list().unwrap();
            wanted(&filters, &page(&cursor), &list)
        };
        assert!(ask(filters(None)).is_ok());
        assert_eq!(
            ask(filters(Some("mug"))).unwrap_err().kind(),
            Kind::InvalidCursor
        );
        let by_name = Filters {
            sort: Some(Sort::Name),
            ..filters(None)
        };
        assert_eq!(ask(by_name).unwrap_err().kind(), Kind::InvalidCursor);
    }
}
