//! Stores an order: priced, its stock reserved, its payment begun. One transaction.

use sqlx::PgConnection;
use uuid::Uuid;

use super::OperationError;
use crate::domain::address::ShippingAddress;
use crate::domain::cart::Lines;
use crate::domain::idempotency::IdempotencyKey;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{OrderError, PaymentMethodKind, Shortage};
use crate::domain::pricing::{self, Rates, Totals};
use crate::store::orders::{self, NewOrder};
use crate::store::payments::{self, NewAttempt};
use crate::store::reservations::{self, NewLine};
use crate::store::{StoreError, rates};

/// The most that one payment can carry, in minor units.
const TOTAL_MAX_MINOR: i64 = 99_999_999;

/// What is ordered, by whom.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Made from customer and key.
    pub order_id: Uuid,
    /// Who orders.
    pub customer_id: Uuid,
    /// Under which key.
    pub key: &'a IdempotencyKey,
    /// What.
    pub lines: &'a Lines,
    /// Where it goes.
    pub address: &'a ShippingAddress,
    /// How it is paid.
    pub tender: &'a Tender,
    /// What the customer was shown; another total is refused.
    pub expected_total: Option<Money>,
    /// The shop's currency.
    pub currency: Currency,
}

/// With what an order is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tender {
    /// A card, by the provider's name for it.
    Card {
        /// The provider's payment method.
        provider_method_id: String,
    },
    /// The customer's wallet.
    Wallet,
}

impl Tender {
    /// Which kind it is.
    pub fn kind(&self) -> PaymentMethodKind {
        match self {
            Self::Card { .. } => PaymentMethodKind::Card,
            Self::Wallet => PaymentMethodKind::Wallet,
        }
    }

    /// The provider's payment method, for a card.
    pub fn provider_method_id(&self) -> Option<&str> {
        match self {
            Self::Card { provider_method_id } => Some(provider_method_id),
            Self::Wallet => None,
        }
    }
}

/// Stores the order. When it is there already, nothing changes: an earlier
/// attempt got that far.
///
/// # Errors
/// SKUs that are not for sale, too little stock, another total than expected.
pub async fn place_order(
    tx: &mut PgConnection,
    request: &Request<'_>,
) -> Result<(), OperationError> {
    let lines = price_lines(tx, request).await?;
    let totals = total(tx, request, &lines).await?;
    let order = NewOrder {
        id: request.order_id,
        customer_id: request.customer_id,
        key: request.key,
        totals: &totals,
        address: request.address,
        method: request.tender.kind(),
        lines: &lines,
    };
    if !orders::insert(tx, &order).await? {
        return Ok(());
    }
    reserve(tx, &lines).await?;
    reservations::hold(tx, request.order_id, &lines).await?;
    let attempt = NewAttempt {
        order_id: request.order_id,
        number: 1,
        method: request.tender.kind(),
        amount_minor: totals.total.minor(),
        currency: request.currency.as_str(),
        provider_method_id: request.tender.provider_method_id(),
    };
    payments::start_attempt(tx, &attempt).await?;
    Ok(())
}

async fn price_lines(
    tx: &mut PgConnection,
    request: &Request<'_>,
) -> Result<Vec<NewLine>, OperationError> {
    let offers = reservations::offers(&mut *tx, &request.lines.skus()).await?;
    let is_offered = |sku: &str| offers.iter().any(|offer| offer.sku == sku);
    let unknown: Vec<_> = request
        .lines
        .skus()
        .into_iter()
        .filter(|sku| !is_offered(sku))
        .collect();
    if !unknown.is_empty() {
        return Err(OrderError::UnknownSkus(unknown).into());
    }
    let line =
        |((_, quantity), offer): ((_, crate::domain::cart::Quantity), reservations::Offer)| {
            let total = Money::new(offer.price_minor, request.currency).times(quantity.get())?;
            Ok(NewLine {
                offer,
                quantity: quantity.get(),
                line_total_minor: total.minor(),
            })
        };
    // Both are sorted by SKU, byte by byte, and hold the same SKUs.
    let mut offers = offers;
    offers.sort_by(|a, b| a.sku.cmp(&b.sku));
    request.lines.iter().zip(offers).map(line).collect()
}

async fn total(
    tx: &mut PgConnection,
    request: &Request<'_>,
    lines: &[NewLine],
) -> Result<Totals, OperationError> {
    let rates = country_rates(tx, request.address.country.as_str()).await?;
    let line_totals: Vec<_> = lines
        .iter()
        .map(|line| Money::new(line.line_total_minor, request.currency))
        .collect();
    let totals = pricing::totals(&line_totals, &rates, request.currency)?;
    if totals.total.minor() > TOTAL_MAX_MINOR {
        return Err(OrderError::TotalTooLarge.into());
    }
    match request.expected_total {
        Some(expected) if expected != totals.total => {
            Err(OrderError::TotalChanged(totals.total).into())
        }
        _ => Ok(totals),
    }
}

async fn country_rates(tx: &mut PgConnection, country: &str) -> Result<Rates, OperationError> {
    let rates = rates::of_country(tx, country).await?;
    // The tables always hold a row for every country; an admin's change keeps it so.
    Ok(rates.ok_or(StoreError::Defect(sqlx::Error::RowNotFound))?)
}

/// Reserves every line, or says of all that fall short by how much.
async fn reserve(tx: &mut PgConnection, lines: &[NewLine]) -> Result<(), OperationError> {
    let mut shortages = Vec::new();
    for line in lines {
        let sku = &line.offer.sku;
        if !reservations::reserve_stock(tx, sku, line.quantity).await? {
            let available = reservations::available(tx, sku).await?;
            shortages.push(Shortage {
                sku: sku.clone(),
                requested: line.quantity,
                available,
            });
        }
    }
    if shortages.is_empty() {
        Ok(())
    } else {
        Err(OrderError::InsufficientStock(shortages).into())
    }
}
