//! Stores an order: priced, its stock reserved, its payment begun. One transaction.

use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::OperationError;
use crate::domain::address::ShippingAddress;
use crate::domain::cart::Lines;
use crate::domain::idempotency::IdempotencyKey;
use crate::domain::intent::Snapshot;
use crate::domain::money::{Currency, Money};
use crate::domain::order::{Order, OrderError, OrderStatus, PaymentMethodKind, Shortage};
use crate::domain::payment::Means;
use crate::domain::pricing::{self, Priced, PricedLine, Rates};
use crate::store::orders::{self, NewOrder};
use crate::store::payments::{self, NewAttempt};
use crate::store::reservations::{self, Offer};
use crate::store::{StoreError, payment_methods, rates};

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
    /// What, at which prices.
    pub terms: Terms<'a>,
    /// Where it goes.
    pub address: &'a ShippingAddress,
    /// How it is paid.
    pub means: &'a Means,
    /// The shop's currency.
    pub currency: Currency,
}

/// At which prices an order is placed.
#[derive(Debug, Clone, Copy)]
pub enum Terms<'a> {
    /// At those that hold now.
    Now {
        /// What is ordered.
        lines: &'a Lines,
        /// What the customer was shown; another total is refused.
        expected_total: Option<Money>,
    },
    /// At those that the customer was promised when the order was accepted.
    Agreed {
        /// What is ordered, and what it comes to.
        priced: &'a Priced,
        /// When it was accepted.
        at: OffsetDateTime,
    },
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
    /// Looks up what somebody wants to pay with. Somebody else's card is as absent as none.
    ///
    /// # Errors
    /// The saved card is not there.
    pub async fn of(
        tx: &mut PgConnection,
        customer_id: Uuid,
        means: &Means,
    ) -> Result<Self, OperationError> {
        let provider_method_id = match means {
            Means::Wallet => return Ok(Self::Wallet),
            Means::Token(token) => token.clone(),
            Means::SavedCard(id) => {
                let found = payment_methods::find(tx, customer_id, *id).await?;
                let found = found.ok_or(OrderError::UnknownPaymentMethod)?;
                found.provider_method_id
            }
        };
        Ok(Self::Card { provider_method_id })
    }

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

/// Stores the order; what its customer sees of it. When it is there already,
/// nothing changes and there is nothing to tell: an earlier attempt got that far.
///
/// # Errors
/// SKUs that are not for sale, too little stock, another total than expected, a
/// saved card that is not there.
pub async fn place_order(
    tx: &mut PgConnection,
    request: &Request<'_>,
) -> Result<Option<Order>, OperationError> {
    let tender = Tender::of(tx, request.customer_id, request.means).await?;
    let priced = price(tx, request).await?;
    let received_at = match request.terms {
        Terms::Now { .. } => None,
        Terms::Agreed { at, .. } => Some(at),
    };
    let new = NewOrder {
        id: request.order_id,
        customer_id: request.customer_id,
        key: request.key,
        priced: &priced,
        address: request.address,
        method: tender.kind(),
        received_at,
    };
    let Some(at) = orders::insert(tx, &new).await? else {
        return Ok(None);
    };
    reserve(tx, &priced.lines).await?;
    reservations::hold(tx, request.order_id, &priced.lines).await?;
    if received_at.is_some() {
        orders::set_status(tx, request.order_id, OrderStatus::PaymentPending).await?;
    }
    let total = priced.totals.total;
    let currency = total.currency();
    let attempt = NewAttempt {
        order_id: request.order_id,
        number: 1,
        method: tender.kind(),
        amount_minor: total.minor(),
        currency: currency.as_str(),
        provider_method_id: tender.provider_method_id(),
    };
    payments::start_attempt(tx, &attempt).await?;
    let snapshot = Snapshot {
        id: request.order_id,
        status: OrderStatus::PaymentPending,
        priced: &priced,
        method: tender.kind(),
        address: request.address,
        at,
    };
    Ok(Some(snapshot.order()))
}

/// What the order costs. What was agreed on holds, though not for what is not sold any more.
async fn price(tx: &mut PgConnection, request: &Request<'_>) -> Result<Priced, OperationError> {
    match request.terms {
        Terms::Now {
            lines,
            expected_total,
        } => {
            let offers = reservations::offers(&mut *tx, &lines.skus()).await?;
            let rates = rates::of_country(tx, request.address.country.as_str()).await?;
            // The tables always hold a row for every country; an admin's change keeps it so.
            let rates = rates.ok_or(StoreError::Defect(sqlx::Error::RowNotFound))?;
            let priced = price_lines(lines, offers, &rates, request.currency)?;
            expect(expected_total, &priced)?;
            Ok(priced)
        }
        Terms::Agreed { priced, .. } => {
            let skus: Vec<_> = priced.lines.iter().map(|line| line.sku.clone()).collect();
            let offers = reservations::offers(tx, &skus).await?;
            refuse_unknown(skus, &offers)?;
            Ok(priced.clone())
        }
    }
}

/// Prices `lines`: `offers` are those of their SKUs that are for sale.
///
/// # Errors
/// SKUs that are not for sale, or more than one payment can carry.
pub fn price_lines(
    lines: &Lines,
    mut offers: Vec<Offer>,
    rates: &Rates,
    currency: Currency,
) -> Result<Priced, OperationError> {
    refuse_unknown(lines.skus(), &offers)?;
    // Both are sorted by SKU, byte by byte, and hold the same SKUs.
    offers.sort_by(|a, b| a.sku.cmp(&b.sku));
    let line = |((_, quantity), offer): ((_, crate::domain::cart::Quantity), Offer)| {
        let unit_price = Money::new(offer.price_minor, currency);
        Ok(PricedLine {
            sku: offer.sku,
            product_id: offer.product_id,
            seller_id: offer.seller_id,
            title: offer.title,
            quantity: quantity.get(),
            unit_price,
            line_total: unit_price.times(quantity.get())?,
        })
    };
    let lines: Vec<PricedLine> = lines
        .iter()
        .zip(offers)
        .map(line)
        .collect::<Result<_, OperationError>>()?;
    let line_totals: Vec<_> = lines.iter().map(|line| line.line_total).collect();
    let totals = pricing::totals(&line_totals, rates, currency)?;
    if totals.total.minor() > TOTAL_MAX_MINOR {
        return Err(OrderError::TotalTooLarge.into());
    }
    Ok(Priced { lines, totals })
}

/// Refuses another total than the customer was shown.
///
/// # Errors
/// It is another.
pub fn expect(expected_total: Option<Money>, priced: &Priced) -> Result<(), OrderError> {
    match expected_total {
        Some(expected) if expected != priced.totals.total => {
            Err(OrderError::TotalChanged(priced.totals.total))
        }
        _ => Ok(()),
    }
}

fn refuse_unknown(mut skus: Vec<String>, offers: &[Offer]) -> Result<(), OrderError> {
    skus.retain(|sku| !offers.iter().any(|offer| offer.sku == *sku));
    if skus.is_empty() {
        Ok(())
    } else {
        Err(OrderError::UnknownSkus(skus))
    }
}

/// Reserves every line, or says of all that fall short by how much.
async fn reserve(tx: &mut PgConnection, lines: &[PricedLine]) -> Result<(), OperationError> {
    let mut shortages = Vec::new();
    for line in lines {
        if !reservations::reserve_stock(tx, &line.sku, line.quantity).await? {
            let available = reservations::available(tx, &line.sku).await?;
            shortages.push(Shortage {
                sku: line.sku.clone(),
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
