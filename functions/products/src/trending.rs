//! What is recommended: what is looked at most lately, and what others bought as well.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use shared::http::{
    ApiError, Kind, LastGoodRead, Page, PageQuery, Path, Problem, Query, Representation,
};
use shared::store::last_good::{Found, LastGoodError};
use shared::store::products::{Card, ProductKey};
use shared::store::recommendations;

use crate::AppState;
use crate::products::key;
use crate::views::ProductItem;

/// What an answer with something else in place of recommendations was made without.
const MISSING: &str = "recommendations";

/// What is looked at most lately.
///
/// A view counts for half a day later, an addition to a cart for five views. There is one page.
#[utoipa::path(
    get, path = "/products/trending", tag = "catalogue", params(PageQuery),
    responses(
        (status = 200, body = Page<ProductItem>, description = "The products, the most looked at first, and then the newest; `next_cursor` is null",
            headers(("ETag"), ("Age"), ("X-Cache" = String, description = "HIT, MISS or STALE"))),
        (status = 304, description = "It is still as `If-None-Match` says"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "There is no cursor of this list"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A parameter is at fault"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database is away and nothing is kept"),
    )
)]
pub async fn get_trending(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let limit = only_page(&page)?;
    let read = async || represent(&state, trending(&state, limit).await?);
    let last_good = async || {
        let found = kept(&state).await?;
        Ok(LastGoodRead {
            representation: represent(&state, first(found.value, limit))?,
            written_at: found.written_at,
        })
    };
    let key = format!("trending?{limit}");
    state.reads.answer(key, &headers, read, last_good).await
}

/// What was bought together with a product, most often first.
///
/// Where nothing is known, it is what is trending, and `X-Degraded: recommendations` says so.
#[utoipa::path(
    get, path = "/products/{product}/recommendations", tag = "catalogue",
    params(("product" = String, Path, description = "An id or a slug", example = "stoneware-mug"), PageQuery),
    responses(
        (status = 200, body = Page<ProductItem>, description = "At most 20 products; `next_cursor` is null",
            headers(("ETag"), ("Age"), ("X-Cache" = String, description = "HIT, MISS or STALE"),
                ("X-Degraded" = String, description = "`recommendations`: these are what is trending"))),
        (status = 304, description = "It is still as `If-None-Match` says"),
        (status = 400, body = Problem, content_type = "application/problem+json", description = "There is no cursor of this list"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is no such product, or it is not for sale"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A parameter is at fault"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database is away and nothing is kept"),
    )
)]
pub async fn get_recommendations(
    State(state): State<AppState>,
    Path(product): Path<String>,
    Query(page): Query<PageQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let (key, limit) = (key(&product)?, only_page(&page)?);
    let read = async || recommended(&state, &key, limit).await;
    // Whether there is such a product is not asked: it would cost another fetch.
    let last_good = async || {
        let found = kept(&state).await?;
        let others = found.value.into_iter().filter(|card| !is_it(card, &key));
        let others = first(others.collect(), limit);
        Ok(LastGoodRead {
            representation: represent(&state, others)?.without(MISSING),
            written_at: found.written_at,
        })
    };
    let kept_as = format!("recommendations/{product}?{limit}");
    state.reads.answer(kept_as, &headers, read, last_good).await
}

/// How many are asked for of a list that has no second page.
fn only_page(page: &PageQuery) -> Result<i64, ApiError> {
    if page.has_cursor() {
        return Err(ApiError::new(Kind::InvalidCursor).detail("The list has one page."));
    }
    Ok(i64::try_from(page.limit()?).unwrap_or(i64::MAX))
}

async fn trending(state: &AppState, limit: i64) -> Result<Vec<Card>, ApiError> {
    let read = |pool| async move { recommendations::read_trending(&pool, limit).await };
    Ok(state.database.read(read).await?)
}

async fn recommended(
    state: &AppState,
    key: &ProductKey,
    limit: i64,
) -> Result<Representation, ApiError> {
    let read = |pool| async move { recommendations::also_bought(&pool, key, limit).await };
    let found = state.database.read(read).await?;
    let (id, cards) = found.ok_or_else(ApiError::not_found)?;
    if !cards.is_empty() {
        return represent(state, cards);
    }
    // One more, because the product itself is none of them.
    let mut others = trending(state, limit + 1).await?;
    others.retain(|card| card.id != id);
    Ok(represent(state, first(others, limit))?.without(MISSING))
}

async fn kept(state: &AppState) -> Result<Found<Vec<Card>>, ApiError> {
    let found = state.last_good.trending().await;
    let found = found.map_err(ApiError::unavailable)?;
    found.ok_or_else(|| ApiError::unavailable(LastGoodError::Incomplete))
}

fn first(mut cards: Vec<Card>, limit: i64) -> Vec<Card> {
    cards.truncate(usize::try_from(limit).unwrap_or_default());
    cards
}

fn is_it(card: &Card, key: &ProductKey) -> bool {
    match key {
        ProductKey::Id(id) => card.id == *id,
        ProductKey::Slug(slug) => card.slug == slug.as_str(),
    }
}

fn represent(state: &AppState, cards: Vec<Card>) -> Result<Representation, ApiError> {
    let item = |card| ProductItem::of(card, &state.config);
    Representation::of(&Page {
        items: cards.into_iter().map(item).collect(),
        next_cursor: None,
    })
}
