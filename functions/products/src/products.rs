//! One product: its page, and how it is made, changed and archived.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use shared::domain::accounts::Role;
use shared::domain::catalogue::{Slug, Status};
use shared::domain::events::Event;
use shared::domain::ids;
use shared::events;
use shared::http::{
    Anyone, ApiError, BASE_PATH, IfMatch, Json, Kind, LastGoodRead, Path, Problem, Representation,
    Seller, User,
};
use shared::store::database::{self, Tx};
use shared::store::outbox;
use shared::store::products::{self, Change, Held, PageRow, ProductKey};
use shared::store::variants::{self, Variant};
use uuid::Uuid;

use crate::AppState;
use crate::bodies::{self, NewProduct, ProductChange};
use crate::ownership::may_change;
use crate::views::ProductPage;

/// One product, by its id or slug.
///
/// Drafts and archived products are shown to their seller and to admins only.
#[utoipa::path(
    get, path = "/products/{product}", tag = "catalogue",
    params(("product" = String, Path, description = "An id or a slug", example = "stoneware-mug")),
    responses(
        (status = 200, body = ProductPage, description = "The product",
            headers(("ETag"), ("Age"), ("X-Cache" = String, description = "HIT, MISS or STALE"))),
        (status = 304, description = "It is still as `If-None-Match` says"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is none, or it is not for sale"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "The database is away and nothing is kept"),
    )
)]
pub async fn get_product(
    State(state): State<AppState>,
    Path(product): Path<String>,
    Anyone(caller): Anyone,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key = key(&product)?;
    let public = async || {
        let kept = format!("page/{product}");
        let fresh = async || public_page(&state, &key).await;
        let last_good = async || last_good_page(&state, &key).await;
        state.reads.answer(kept, &headers, fresh, last_good).await
    };
    let mut response = match caller.filter(|user| user.0.role != Role::Customer) {
        Some(seller) => match own_page(&state, &key, &seller).await {
            Ok(page) => page.private(StatusCode::OK),
            // What is for sale they see as anyone does; what is not is nowhere else.
            Err(error) if error.kind() == Kind::Unavailable => public().await.map_err(|_| error)?,
            Err(error) => return Err(error),
        },
        None => public().await?,
    };
    // Sellers are shown more, so what anyone got must not be given to them.
    let vary = HeaderValue::from_static("authorization");
    response.headers_mut().append(header::VARY, vary);
    Ok(response)
}

/// Makes a product. Its stock starts at 0.
#[utoipa::path(
    post, path = "/products", tag = "catalogue", security(("bearer" = [])),
    request_body = NewProduct,
    responses(
        (status = 201, body = ProductPage, description = "The product", headers(("ETag"), ("Location"))),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "Only sellers and admins sell"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another product has one of the SKUs"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is at fault"),
    )
)]
pub async fn post_product(
    State(state): State<AppState>,
    Seller(seller): Seller,
    Json(body): Json<NewProduct>,
) -> Result<Response, ApiError> {
    let status = body.status.unwrap_or(Status::Draft);
    if status == Status::Archived {
        return Err(ApiError::invalid("/status", "must be draft or active"));
    }
    let variants = bodies::variants(body.variants, state.config.currency)?;
    let product = products::NewProduct {
        id: ids::new_id(),
        seller_id: seller.id(),
        title: &body.title,
        description: &body.description,
        category: &body.category,
        status,
        price_from: bodies::price_from(&variants),
    };
    let mut response = make(&state, product, &variants)
        .await?
        .private(StatusCode::CREATED);
    let location = format!("{BASE_PATH}/products/{}", product.id);
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn make(
    state: &AppState,
    product: products::NewProduct<'_>,
    variants: &[Variant],
) -> Result<Representation, ApiError> {
    let mut tx = state.database.begin().await?;
    let inserted = database::within(async {
        products::insert(&mut tx, product).await?;
        variants::replace(&mut tx, product.id, variants).await?;
        Ok::<_, ApiError>(products::page(&mut *tx, &ProductKey::Id(product.id)).await?)
    });
    let page = inserted.await?;
    commit_change(state, tx, product.id).await?;
    represent(state, page.ok_or_else(ApiError::not_found)?)
}

/// Changes a product.
#[utoipa::path(
    patch, path = "/products/{product}", tag = "catalogue", security(("bearer" = [])),
    params(
        ("product" = Uuid, Path, description = "The product's id"),
        ("If-Match" = String, Header, description = "The `ETag` of what is to be changed, or `*`"),
    ),
    request_body = ProductChange,
    responses(
        (status = 200, body = ProductPage, description = "The product as it is now", headers(("ETag"))),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "It is another seller's"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is none"),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "Another product has one of the SKUs, or the status cannot follow"),
        (status = 412, body = Problem, content_type = "application/problem+json", description = "It has changed since it was read"),
        (status = 422, body = Problem, content_type = "application/problem+json", description = "A field is at fault"),
        (status = 428, body = Problem, content_type = "application/problem+json", description = "`If-Match` is missing"),
    )
)]
pub async fn patch_product(
    State(state): State<AppState>,
    Path(product): Path<String>,
    seller: Seller,
    if_match: IfMatch,
    Json(body): Json<ProductChange>,
) -> Result<Response, ApiError> {
    let currency = state.config.currency;
    let parse = |bodies| bodies::variants(bodies, currency);
    let variants = body.variants.map(parse).transpose()?;
    let change = Change {
        title: body.title.as_ref(),
        description: body.description.as_ref(),
        category: body.category.as_ref(),
        status: body.status,
        price_from: variants.as_deref().map(bodies::price_from),
    };
    let mut tx = state.database.begin().await?;
    let changed = database::within(async {
        let held = changeable(products::hold(&mut tx, id(&product)?).await?, &seller)?;
        if_match.check(held.version)?;
        held.status.check_change(body.status)?;
        products::change(&mut tx, held.id, change).await?;
        if let Some(variants) = &variants {
            variants::replace(&mut tx, held.id, variants).await?;
        }
        let page = products::page(&mut *tx, &ProductKey::Id(held.id)).await?;
        page.ok_or_else(ApiError::not_found)
    });
    let page = changed.await?;
    commit_change(&state, tx, page.card.id).await?;
    Ok(represent(&state, page)?.private(StatusCode::OK))
}

/// Takes a product off sale for good. Orders keep what they say about it.
#[utoipa::path(
    delete, path = "/products/{product}", tag = "catalogue", security(("bearer" = [])),
    params(("product" = Uuid, Path, description = "The product's id")),
    responses(
        (status = 204, description = "It is archived"),
        (status = 403, body = Problem, content_type = "application/problem+json", description = "It is another seller's"),
        (status = 404, body = Problem, content_type = "application/problem+json", description = "There is none"),
    )
)]
pub async fn delete_product(
    State(state): State<AppState>,
    Path(product): Path<String>,
    seller: Seller,
) -> Result<Response, ApiError> {
    let mut tx = state.database.begin().await?;
    let deleted = database::within(async {
        let held = products::hold(&mut tx, id(&product)?).await?;
        let held = changeable(held, &seller)?;
        if held.status != Status::Archived {
            let change = Change {
                status: Some(Status::Archived),
                ..Change::default()
            };
            products::change(&mut tx, held.id, change).await?;
        }
        Ok::<_, ApiError>(held.id)
    });
    let id = deleted.await?;
    commit_change(&state, tx, id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What the last part of an address names. What is neither an id nor a slug names nothing.
pub(crate) fn key(product: &str) -> Result<ProductKey, ApiError> {
    if let Ok(id) = id(product) {
        return Ok(ProductKey::Id(id));
    }
    let slug = Slug::try_from(product.to_owned()).map_err(|_| ApiError::not_found())?;
    Ok(ProductKey::Slug(slug))
}

/// Ids are written with hyphens; 32 digits in a row are no id.
pub fn id(product: &str) -> Result<Uuid, ApiError> {
    let id = Uuid::try_parse(product)
        .ok()
        .filter(|_| product.len() == 36);
    id.ok_or_else(ApiError::not_found)
}

async fn public_page(state: &AppState, key: &ProductKey) -> Result<Representation, ApiError> {
    let read = |pool| async move { products::page(&pool, key).await };
    let row = if state.reads.wrote_recently() {
        state.database.read_own(read).await?
    } else {
        state.database.read(read).await?
    };
    let row = row.filter(|row| row.card.status == Status::Active);
    represent(state, row.ok_or_else(ApiError::not_found)?)
}

async fn last_good_page(state: &AppState, key: &ProductKey) -> Result<LastGoodRead, ApiError> {
    let found = state.last_good.page(key).await;
    let found = found.map_err(ApiError::unavailable)?;
    let found = found.ok_or_else(ApiError::not_found)?;
    Ok(LastGoodRead {
        representation: represent(state, found.value)?,
        written_at: found.written_at,
    })
}

async fn own_page(
    state: &AppState,
    key: &ProductKey,
    seller: &User,
) -> Result<Representation, ApiError> {
    let row = state
        .database
        .read_own(|pool| async move { products::page(&pool, key).await });
    let visible =
        |row: &PageRow| row.card.status == Status::Active || seller.may_see(row.seller_id);
    represent(
        state,
        row.await?.filter(visible).ok_or_else(ApiError::not_found)?,
    )
}

fn changeable(held: Option<Held>, seller: &Seller) -> Result<Held, ApiError> {
    let held = held.ok_or_else(ApiError::not_found)?;
    may_change(seller, held.seller_id, held.status)?;
    Ok(held)
}

/// Commits a change of what is shown of a product, and tells who keeps it.
///
/// # Errors
/// The database's.
pub async fn commit_change(state: &AppState, mut tx: Tx, product_id: Uuid) -> Result<(), ApiError> {
    outbox::add(&mut tx, product_id, &Event::ProductChanged { product_id }).await?;
    database::commit(tx).await?;
    state.reads.expire();
    events::publish(state, product_id).await;
    Ok(())
}

fn represent(state: &AppState, row: PageRow) -> Result<Representation, ApiError> {
    let version = row.card.version;
    Representation::versioned(&ProductPage::of(row, &state.config), version)
}
