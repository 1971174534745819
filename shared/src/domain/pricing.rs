//! What an order costs.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::money::{Currency, Money, MoneyError};

/// A shipping rate of one country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShippingRate {
    /// Minor units per order.
    pub amount_minor: i64,
    /// Orders from this subtotal on ship free.
    pub free_from_minor: Option<i64>,
}

/// A tax rate of one country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaxRate {
    /// Parts per million: 190000 is 19 %.
    pub rate_ppm: i32,
    /// Whether prices hold the tax already.
    pub included: bool,
}

/// The rates of one country.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Shipping to it.
    pub shipping: ShippingRate,
    /// Tax in it.
    pub tax: TaxRate,
}

/// What an order or a cart comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Totals {
    /// The sum of the lines.
    pub subtotal: Money,
    /// What is taken off it.
    pub discount: Money,
    /// Shipping.
    pub shipping: Money,
    /// The tax, whether it is part of the prices or comes on top.
    pub tax: Money,
    /// Whether the tax is part of the prices.
    pub tax_included: bool,
    /// What is to be paid.
    pub total: Money,
}

/// An order's lines and what they come to, at the prices that hold for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priced {
    /// Sorted by SKU.
    pub lines: Vec<PricedLine>,
    /// What they come to.
    pub totals: Totals,
}

/// One SKU of an order, priced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PricedLine {
    /// The variant.
    pub sku: String,
    /// Its product.
    pub product_id: Uuid,
    /// Who sells it.
    pub seller_id: Uuid,
    /// Product and variant.
    pub title: String,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub unit_price: Money,
    /// Quantity times price.
    pub line_total: Money,
}

/// Adds up an order: `lines` are line totals. The tax is on goods and shipping
/// together, rounded once per order, half a minor unit up.
///
/// # Errors
/// The total does not fit.
pub fn totals(lines: &[Money], rates: &Rates, currency: Currency) -> Result<Totals, MoneyError> {
    let zero = Money::zero(currency);
    let subtotal = lines.iter().try_fold(zero, |sum, line| sum.plus(*line))?;
    let free = lines.is_empty()
        || rates
            .shipping
            .free_from_minor
            .is_some_and(|from| subtotal.minor() >= from);
    let shipping = Money::new(if free { 0 } else { rates.shipping.amount_minor }, currency);
    let goods = subtotal.plus(shipping)?;
    let tax = tax_on(goods, rates.tax)?;
    let total = if rates.tax.included {
        goods
    } else {
        goods.plus(tax)?
    };
    Ok(Totals {
        subtotal,
        discount: zero,
        shipping,
        tax,
        tax_included: rates.tax.included,
        total,
    })
}

fn tax_on(amount: Money, rate: TaxRate) -> Result<Money, MoneyError> {
    const WHOLE: i128 = 1_000_000;
    let rate_ppm = i128::from(rate.rate_ppm);
    let base = if rate.included {
        WHOLE + rate_ppm
    } else {
        WHOLE
    };
    // Half up: amounts are never negative here.
    let tax = (i128::from(amount.minor()) * rate_ppm * 2 + base) / (base * 2);
    let tax = i64::try_from(tax).map_err(|_| MoneyError::Overflow)?;
    Ok(Money::new(tax, amount.currency()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn eur(amount: i64) -> Money {
        Money::new(amount, Currency::try_from("EUR").unwrap())
    }

    fn rates(rate_ppm: i32, included: bool) -> Rates {
        let shipping = ShippingRate {
            amount_minor: 490,
            free_from_minor: Some(5000),
        };
        Rates {
            shipping,
            tax: TaxRate { rate_ppm, included },
        }
    }

    #[test]
    fn included_tax_is_part_of_the_total() {
        let totals = totals(
            &[eur(1999), eur(1000)],
            &rates(190_000, true),
            eur(0).currency(),
        )
        .unwrap();
        assert_eq!(totals.subtotal, eur(2999));
        assert_eq!(totals.total, eur(3489));
        // 34.89 · 19/119 = 5.5707…
        assert_eq!(totals.tax, eur(557));
    }

    #[test]
    fn added_tax_comes_on_top() {
        let totals = totals(&[eur(1000)], &rates(70_000, false), eur(0).currency()).unwrap();
        // 14.90 · 0.07 = 1.043
        assert_eq!((totals.tax, totals.total), (eur(104), eur(1594)));
    }

    #[test]
    fn large_orders_and_empty_carts_ship_free() {
        let currency = eur(0).currency();
        assert_eq!(
            totals(&[eur(5000)], &rates(0, true), currency)
                .unwrap()
                .shipping,
            eur(0)
        );
        assert_eq!(
            totals(&[eur(4999)], &rates(0, true), currency)
                .unwrap()
                .shipping,
            eur(490)
        );
        assert_eq!(
            totals(&[], &rates(0, true), currency).unwrap().total,
            eur(0)
        );
    }

    proptest! {
        #[test]
        fn total_adds_up_as_the_database_demands(
            lines in prop::collection::vec(0i64..1_000_000_000_000, 0..20),
            rate in 0i32..1_000_000,
            included: bool,
        ) {
            let lines: Vec<_> = lines.into_iter().map(eur).collect();
            let totals = totals(&lines, &rates(rate, included), eur(0).currency()).unwrap();
            let added = if included { 0 } else { totals.tax.minor() };
            prop_assert_eq!(
                totals.total.minor(),
                totals.subtotal.minor() - totals.discount.minor() + totals.shipping.minor() + added
            );
            prop_assert!(totals.tax.minor() >= 0 && totals.tax.minor() <= totals.total.minor());
        }
    }
}
