//! Pages of the product list: which products, in which order.
//!
//! Every order has a statement of its own over an index of its own, and ends on
//! the id, so that a page goes on exactly where the one before ended. Stock is
//! asked for row by row (`limit 1`, which PostgreSQL cannot turn into a hash of
//! the whole stock), because a page is full after a few rows.

use std::collections::HashMap;

use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{PgConnection, PgPool, Postgres};
use time::OffsetDateTime;
use uuid::Uuid;

use super::products::Card;
use crate::domain::catalogue::{Slug, Sort, SortKey};

/// A page of the list, as it is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Words that its products must match.
    pub words: Option<Vec<String>>,
    /// The category that they, or categories above theirs, are in.
    pub category: Option<Slug>,
    /// From this price on, in minor units.
    pub price_min: Option<i64>,
    /// Up to this price.
    pub price_max: Option<i64>,
    /// With units to buy, or without any.
    pub in_stock: Option<bool>,
    /// The order.
    pub sort: Sort,
    /// Where the page before ended.
    pub after: Option<Place>,
    /// One more than the page holds, to know whether there is a next one.
    pub limit: i64,
}

/// A product's place in a list.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// What the list is ordered by.
    pub key: SortKey,
    /// What tells those apart that have the same key.
    pub id: Uuid,
}

/// The products of a page and their places. Two to four statements on one connection.
///
/// # Errors
/// The database's.
pub async fn page(pool: &PgPool, wanted: &Wanted) -> Result<Vec<(Place, Card)>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let Some(selection) = select(&mut connection, wanted).await? else {
        return Ok(Vec::new());
    };
    let places = places(&mut connection, &selection, wanted).await?;
    with_cards(&mut connection, places).await
}

async fn with_cards(
    connection: &mut PgConnection,
    places: Vec<Place>,
) -> Result<Vec<(Place, Card)>, sqlx::Error> {
    let ids: Vec<Uuid> = places.iter().map(|place| place.id).collect();
    let cards = super::products::cards(connection, &ids).await?;
    let mut cards: HashMap<Uuid, Card> = cards.into_iter().map(|card| (card.id, card)).collect();
    let paired = |place: Place| cards.remove(&place.id).map(|card| (place, card));
    Ok(places.into_iter().filter_map(paired).collect())
}

/// The first products of a list, without a search. Two or three statements.
///
/// # Errors
/// The database's.
pub async fn first(
    connection: &mut PgConnection,
    category: Option<&Slug>,
    sort: Sort,
    limit: i64,
) -> Result<Vec<(Place, Card)>, sqlx::Error> {
    let wanted = Wanted {
        words: None,
        category: category.cloned(),
        price_min: None,
        price_max: None,
        in_stock: None,
        sort,
        after: None,
        limit,
    };
    let categories = match category {
        Some(slug) => Some(super::categories::with_descendants(connection, slug).await?),
        None => None,
    };
    let selection = Selection {
        categories,
        query: None,
    };
    let places = places(connection, &selection, &wanted).await?;
    with_cards(connection, places).await
}

/// What the statements take for what was asked for; `None` when nothing can match.
#[derive(Debug, Default)]
struct Selection {
    categories: Option<Vec<Uuid>>,
    query: Option<String>,
}

async fn select(
    connection: &mut PgConnection,
    wanted: &Wanted,
) -> Result<Option<Selection>, sqlx::Error> {
    let mut selection = Selection::default();
    if let Some(slug) = &wanted.category {
        let categories = super::categories::with_descendants(connection, slug).await?;
        if categories.is_empty() {
            return Ok(None);
        }
        selection.categories = Some(categories);
    }
    if let Some(words) = &wanted.words {
        selection.query = meaning(connection, words).await?;
        if selection.query.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(selection))
}

async fn places(
    connection: &mut PgConnection,
    selection: &Selection,
    wanted: &Wanted,
) -> Result<Vec<Place>, sqlx::Error> {
    let slice = Slice {
        selection,
        wanted,
        after: wanted.after.as_ref(),
    };
    match wanted.sort {
        Sort::Relevance => slice.best_first(connection).await,
        Sort::Newest => slice.newest_first(connection).await,
        Sort::PriceAsc => slice.cheapest_first(connection).await,
        Sort::PriceDesc => slice.dearest_first(connection).await,
        Sort::Name => slice.by_name(connection).await,
    }
}

/// What a search means: a `tsquery` in which a word that is in no product is
/// replaced by its nearest ones (two neighbouring letters exchanged are one step,
/// like one letter too many, too few or wrong), and every word also finds longer ones. `None`
/// when nothing can match. One statement.
async fn meaning(
    connection: &mut PgConnection,
    words: &[String],
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "with asked as (
             select word collate \"C\" as word, (ts_lexize('english_stem', word))[1] collate \"C\" as stem, place
             from unnest($1::text[]) with ordinality as asked (word, place)
             where ts_lexize('english_stem', word) <> '{}'
         ), known as (
             select word, stem, place, exists (
                     select from search_words w
                     where w.word >= asked.word and w.word < asked.word || chr(1114111)
                 ) or exists (select from search_words w where w.word = asked.stem) as is_known,
                 array(select overlay(word placing reverse(substr(word, i, 2)) from i for 2) collate \"C\"
                     from generate_series(1, length(word) - 1) as i) as swaps
             from asked
         ), meant as (
             select place, '''' || word || ''':* | ''' || stem || '''' as term from known where is_known
             union all
             select k.place, string_agg('''' || near.word || '''', ' | ')
             from known k cross join lateral (
                 select nearest.word from (
                     select w.word, d.steps from search_words w, lateral (select case
                         when w.word = any (k.swaps) then 1
                         else least(levenshtein_less_equal(k.word, w.word, 2),
                             1 + levenshtein_less_equal(k.word, left(w.word, length(k.word)), 2)) end as steps) d
                     where length(k.word) >= 4 and k.word !~ '[0-9]'
                         and (left(w.word, 1) = left(k.word, 1)
                                 and length(w.word) between length(k.word) - 1 and length(k.word) + 1
                             or w.word = any (k.swaps) or w.word % k.word or k.word <% w.word)
                         and d.steps <= case when length(k.word) = 4 then 1 else 2 end
                     order by d.steps fetch first row with ties
                 ) as nearest
                 order by similarity(nearest.word, k.word) desc, nearest.word limit 3
             ) as near
             where not k.is_known group by k.place
         )
         select string_agg('(' || term || ')', ' & ' order by place) from meant",
    )
    .bind(words)
    .fetch_one(connection)
    .await
}

struct Slice<'a> {
    selection: &'a Selection,
    wanted: &'a Wanted,
    after: Option<&'a Place>,
}

type Rows<'q, K> = QueryAs<'q, Postgres, (K, Uuid), PgArguments>;

impl<'a> Slice<'a> {
    /// Binds $1 to $7: selection, place, limit; $8 is the place's key.
    fn bind<'q, K>(&self, rows: Rows<'q, K>) -> Rows<'q, K>
    where
        'a: 'q,
    {
        rows.bind(self.selection.categories.as_deref())
            .bind(self.wanted.price_min)
            .bind(self.wanted.price_max)
            .bind(self.wanted.in_stock)
            .bind(self.selection.query.as_deref())
            .bind(self.after.map(|place| place.id))
            .bind(self.wanted.limit)
    }

    /// Ranks the newest 2,000 matches, because a rank is computed row by row and
    /// a common word matches half of a large shop.
    async fn best_first(&self, connection: &mut PgConnection) -> Result<Vec<Place>, sqlx::Error> {
        let rows = sqlx::query_as(
            "with matches as materialized (
                 select p.id, p.search from products p
                 where p.status = 'active' and p.search @@ $5::tsquery
                     and ($1::uuid[] is null or p.category_id = any ($1))
                     and ($2::bigint is null or p.price_from_minor >= $2)
                     and ($3::bigint is null or p.price_from_minor <= $3)
                     and ($4::boolean is null or $4 = coalesce((select true from variants v join stock s on s.sku = v.sku
                         where v.product_id = p.id and v.removed_at is null and s.on_hand > s.reserved limit 1), false))
                 order by p.created_at desc, p.id desc limit 2000
             ), ranked as (
                 select ts_rank(search, $5::tsquery) as rank, id from matches
             )
             select rank, id from ranked
             where (rank, id) < (coalesce($8::real, 'infinity'),
                 coalesce($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
             order by rank desc, id desc limit $7",
        );
        let after = self.after.and_then(|place| match place.key {
            SortKey::Rank(rank) => Some(rank),
            _ => None,
        });
        let rows = self.bind(rows).bind(after).fetch_all(connection).await?;
        Ok(in_places(rows, SortKey::Rank))
    }

    async fn newest_first(&self, connection: &mut PgConnection) -> Result<Vec<Place>, sqlx::Error> {
        let rows: Rows<'_, OffsetDateTime> = sqlx::query_as(
            "select p.created_at, p.id from products p
             where p.status = 'active' and ($5::tsquery is null or p.search @@ $5::tsquery)
                 and ($1::uuid[] is null or p.category_id = any ($1))
                 and ($2::bigint is null or p.price_from_minor >= $2)
                 and ($3::bigint is null or p.price_from_minor <= $3)
                 and ($4::boolean is null or $4 = coalesce((select true from variants v join stock s on s.sku = v.sku
                     where v.product_id = p.id and v.removed_at is null and s.on_hand > s.reserved limit 1), false))
                 and (p.created_at, p.id) < (coalesce($8::timestamptz, 'infinity'),
                     coalesce($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
             order by p.created_at desc, p.id desc limit $7",
        );
        let after = self.after.and_then(|place| match place.key {
            SortKey::Created(micros) => instant(micros),
            _ => None,
        });
        let rows = self.bind(rows).bind(after).fetch_all(connection).await?;
        Ok(in_places(rows, |at| SortKey::Created(micros(at))))
    }

    async fn cheapest_first(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<Place>, sqlx::Error> {
        let rows = sqlx::query_as(
            "select p.price_from_minor, p.id from products p
             where p.status = 'active' and ($5::tsquery is null or p.search @@ $5::tsquery)
                 and ($1::uuid[] is null or p.category_id = any ($1))
                 and ($2::bigint is null or p.price_from_minor >= $2)
                 and ($3::bigint is null or p.price_from_minor <= $3)
                 and ($4::boolean is null or $4 = coalesce((select true from variants v join stock s on s.sku = v.sku
                     where v.product_id = p.id and v.removed_at is null and s.on_hand > s.reserved limit 1), false))
                 and (p.price_from_minor, p.id) > (coalesce($8::bigint, -1),
                     coalesce($6, '00000000-0000-0000-0000-000000000000'::uuid))
             order by p.price_from_minor, p.id limit $7",
        );
        let rows = self
            .bind(rows)
            .bind(self.price())
            .fetch_all(connection)
            .await?;
        Ok(in_places(rows, SortKey::Price))
    }

    async fn dearest_first(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Vec<Place>, sqlx::Error> {
        let rows = sqlx::query_as(
            "select p.price_from_minor, p.id from products p
             where p.status = 'active' and ($5::tsquery is null or p.search @@ $5::tsquery)
                 and ($1::uuid[] is null or p.category_id = any ($1))
                 and ($2::bigint is null or p.price_from_minor >= $2)
                 and ($3::bigint is null or p.price_from_minor <= $3)
                 and ($4::boolean is null or $4 = coalesce((select true from variants v join stock s on s.sku = v.sku
                     where v.product_id = p.id and v.removed_at is null and s.on_hand > s.reserved limit 1), false))
                 and (p.price_from_minor, p.id) < (coalesce($8::bigint, 9223372036854775807),
                     coalesce($6, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid))
             order by p.price_from_minor desc, p.id desc limit $7",
        );
        let rows = self
            .bind(rows)
            .bind(self.price())
            .fetch_all(connection)
            .await?;
        Ok(in_places(rows, SortKey::Price))
    }

    async fn by_name(&self, connection: &mut PgConnection) -> Result<Vec<Place>, sqlx::Error> {
        let rows = sqlx::query_as(
            "select lower(p.title), p.id from products p
             where p.status = 'active' and ($5::tsquery is null or p.search @@ $5::tsquery)
                 and ($1::uuid[] is null or p.category_id = any ($1))
                 and ($2::bigint is null or p.price_from_minor >= $2)
                 and ($3::bigint is null or p.price_from_minor <= $3)
                 and ($4::boolean is null or $4 = coalesce((select true from variants v join stock s on s.sku = v.sku
                     where v.product_id = p.id and v.removed_at is null and s.on_hand > s.reserved limit 1), false))
                 and (lower(p.title), p.id) > (coalesce($8::text, ''),
                     coalesce($6, '00000000-0000-0000-0000-000000000000'::uuid))
             order by lower(p.title), p.id limit $7",
        );
        let after = self.after.and_then(|place| match &place.key {
            SortKey::Name(name) => Some(name.as_str()),
            _ => None,
        });
        let rows = self.bind(rows).bind(after).fetch_all(connection).await?;
        Ok(in_places(rows, SortKey::Name))
    }

    fn price(&self) -> Option<i64> {
        self.after.and_then(|place| match place.key {
            SortKey::Price(price) => Some(price),
            _ => None,
        })
    }
}

fn in_places<K>(rows: Vec<(K, Uuid)>, key: impl Fn(K) -> SortKey) -> Vec<Place> {
    let place = |(value, id)| Place {
        key: key(value),
        id,
    };
    rows.into_iter().map(place).collect()
}

/// PostgreSQL keeps microseconds, so nothing is lost.
fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn instant(micros: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).ok()
}
