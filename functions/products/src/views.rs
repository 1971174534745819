//! What callers get.

use serde::Serialize;
use serde_json::value::RawValue;
use shared::config::ProductsConfig;
use shared::domain::catalogue::Status;
use shared::domain::money::Money;
use shared::store::products::{Card, ImageRow, PageRow, VariantRow};
use shared::store::stock::Stock;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

/// A product.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductPage {
    /// Its id.
    pub id: Uuid,
    /// Its name in addresses.
    #[schema(example = "stoneware-mug")]
    pub slug: String,
    /// What it is called.
    #[schema(example = "Stoneware mug")]
    pub title: String,
    /// What is said about it.
    pub description: String,
    /// The category's slug.
    #[schema(example = "kitchen")]
    pub category: String,
    /// Where it stands.
    pub status: Status,
    /// Goes up with every change; `If-Match` names it.
    #[schema(example = 1)]
    pub version: i64,
    /// What can be bought.
    pub variants: Vec<VariantView>,
    /// Its pictures.
    pub images: Vec<ImageView>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A product in a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProductItem {
    /// Its id.
    pub id: Uuid,
    /// Its name in addresses.
    #[schema(example = "stoneware-mug")]
    pub slug: String,
    /// What it is called.
    #[schema(example = "Stoneware mug")]
    pub title: String,
    /// The category's slug.
    #[schema(example = "kitchen")]
    pub category: String,
    /// Where it stands.
    pub status: Status,
    /// Goes up with every change.
    #[schema(example = 1)]
    pub version: i64,
    /// The lowest price of its variants.
    pub price_from: Money,
    /// What can be bought.
    pub variants: Vec<VariantView>,
    /// Its pictures.
    pub images: Vec<ImageView>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it was last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A variant.
#[derive(Debug, Serialize, ToSchema)]
pub struct VariantView {
    /// What it is bought by.
    #[schema(example = "MUG-BLUE")]
    pub sku: String,
    /// What sets it apart.
    #[schema(example = "Blue")]
    pub title: String,
    /// What distinguishes it, by name.
    #[schema(value_type = std::collections::BTreeMap<String, String>, example = json!({"colour": "blue"}))]
    pub options: Box<RawValue>,
    /// What it costs.
    pub price: Money,
    /// How many could be bought when this was read. Checkout decides.
    #[schema(example = 12)]
    pub available: i32,
}

/// A picture.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImageView {
    /// Its id.
    pub id: Uuid,
    /// Where browsers get it.
    pub url: String,
    /// What it shows, for who cannot see it.
    #[schema(example = "A blue mug on a table")]
    pub alt: String,
}

/// Stock of a variant.
#[derive(Debug, Serialize, ToSchema)]
pub struct StockView {
    /// In the warehouse.
    #[schema(example = 12)]
    pub on_hand: i32,
    /// Of these, promised to orders.
    #[schema(example = 2)]
    pub reserved: i32,
    /// The rest.
    #[schema(example = 10)]
    pub available: i32,
}

impl ProductPage {
    /// The page of a row.
    pub fn of(row: PageRow, config: &ProductsConfig) -> Self {
        let PageRow {
            card, description, ..
        } = row;
        Self {
            id: card.id,
            slug: card.slug,
            title: card.title,
            description,
            category: card.category,
            status: card.status,
            version: card.version,
            variants: variants(card.variants.0, config),
            images: images(card.images.0, config),
            created_at: card.created_at,
            updated_at: card.updated_at,
        }
    }
}

impl ProductItem {
    /// The list item of a row.
    pub fn of(card: Card, config: &ProductsConfig) -> Self {
        Self {
            id: card.id,
            slug: card.slug,
            title: card.title,
            category: card.category,
            status: card.status,
            version: card.version,
            price_from: Money::new(card.price_from_minor, config.currency),
            variants: variants(card.variants.0, config),
            images: images(card.images.0, config),
            created_at: card.created_at,
            updated_at: card.updated_at,
        }
    }
}

impl ImageView {
    /// The picture of that id at that place in the bucket.
    pub fn of(row: ImageRow, config: &ProductsConfig) -> Self {
        let base = config.media.base_url.trim_end_matches('/');
        Self {
            id: row.id,
            url: format!("{base}/{}", row.object_key),
            alt: row.alt,
        }
    }
}

fn variants(rows: Vec<VariantRow>, config: &ProductsConfig) -> Vec<VariantView> {
    let view = |row: VariantRow| VariantView {
        sku: row.sku,
        title: row.title,
        options: row.options,
        price: Money::new(row.price_minor, config.currency),
        available: row.available,
    };
    rows.into_iter().map(view).collect()
}

fn images(rows: Vec<ImageRow>, config: &ProductsConfig) -> Vec<ImageView> {
    rows.into_iter()
        .map(|row| ImageView::of(row, config))
        .collect()
}

impl From<Stock> for StockView {
    fn from(stock: Stock) -> Self {
        let Stock { on_hand, reserved } = stock;
        Self {
            on_hand,
            reserved,
            available: on_hand - reserved,
        }
    }
}
