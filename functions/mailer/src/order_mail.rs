//! Mails about an order.

use shared::config::ShopConfig;
use shared::domain::money::{Currency, InvalidCurrency, Money};
use shared::store::order_mail::{MailAddress, OrderMail, OrderMailLine, Shipment};

use crate::account_mail::root;
use crate::letter::{Action, Content, Summary, SummaryLine, Total};

/// Confirms an order that was paid.
pub(crate) fn paid(
    shop: &ShopConfig,
    order: OrderMail,
    lines: Vec<OrderMailLine>,
) -> Result<Content, InvalidCurrency> {
    let with = match (order.payment_method.as_str(), &order.payment_last4) {
        ("wallet", _) => "from your wallet".to_owned(),
        (_, Some(last4)) => format!("with your card ending in {last4}"),
        _ => "with your card".to_owned(),
    };
    let total = money(&order, order.total_minor)?;
    let paragraphs = vec![
        format!("Thank you, {}. Your order is paid.", order.customer_name),
        format!("{total} was paid {with}. We write again when it is on its way."),
    ];
    let totals = totals(&order)?;
    content(
        shop,
        order,
        lines,
        Words {
            subject: "Your order is confirmed",
            paragraphs,
            totals,
        },
    )
}

/// Tells that an accepted order could not be paid.
pub(crate) fn payment_failed(
    shop: &ShopConfig,
    order: OrderMail,
    lines: Vec<OrderMailLine>,
) -> Result<Content, InvalidCurrency> {
    let paragraphs = vec![
        format!("We are sorry, {}.", order.customer_name),
        "The payment for your order did not go through. Nothing was charged and nothing is reserved any more; you are welcome to order again.".to_owned(),
    ];
    let totals = totals(&order)?;
    content(
        shop,
        order,
        lines,
        Words {
            subject: "Your order could not be paid",
            paragraphs,
            totals,
        },
    )
}

/// Tells that an order was cancelled.
pub(crate) fn cancelled(
    shop: &ShopConfig,
    order: OrderMail,
    lines: Vec<OrderMailLine>,
) -> Result<Content, InvalidCurrency> {
    let refund = if order.captured_minor > 0 {
        let captured = money(&order, order.captured_minor)?;
        format!("{captured} goes back the way it was paid. With a card this takes some days.")
    } else {
        "Nothing was charged.".to_owned()
    };
    let paragraphs = vec![
        format!(
            "Hello {}, your order was cancelled and will not be sent.",
            order.customer_name
        ),
        refund,
    ];
    let totals = totals(&order)?;
    content(
        shop,
        order,
        lines,
        Words {
            subject: "Your order was cancelled",
            paragraphs,
            totals,
        },
    )
}

/// Tells that parts of an order, or all of it, are on their way.
pub(crate) fn fulfilled(
    shop: &ShopConfig,
    order: OrderMail,
    shipped: (Shipment, Vec<OrderMailLine>),
) -> Result<Content, InvalidCurrency> {
    let (shipment, lines) = shipped;
    let paragraphs = vec![
        format!(
            "Hello {}, what is listed below was handed to {}.",
            order.customer_name, shipment.carrier
        ),
        format!("Tracking number: {}", shipment.tracking_number),
    ];
    let words = Words {
        subject: "Your order is on its way",
        paragraphs,
        totals: Vec::new(),
    };
    content(shop, order, lines, words)
}

struct Words {
    subject: &'static str,
    paragraphs: Vec<String>,
    totals: Vec<Total>,
}

fn content(
    shop: &ShopConfig,
    order: OrderMail,
    lines: Vec<OrderMailLine>,
    words: Words,
) -> Result<Content, InvalidCurrency> {
    let shows_prices = !words.totals.is_empty();
    let line = |line: OrderMailLine| {
        let amount = money(&order, line.line_total_minor)?;
        Ok(SummaryLine {
            sku: line.sku,
            title: line.title,
            quantity: line.quantity,
            amount: shows_prices.then(|| amount.to_string()),
        })
    };
    let lines = lines.into_iter().map(line).collect::<Result<_, _>>()?;
    Ok(Content {
        subject: format!("{} at {}", words.subject, shop.name),
        heading: words.subject.to_owned(),
        paragraphs: words.paragraphs,
        action: Some(Action {
            label: "See the order",
            link: format!("{}/orders/{}", root(shop), order.id),
        }),
        summary: Some(Summary {
            order_id: order.id,
            lines,
            totals: words.totals,
            address: address(&order.shipping_address.0),
        }),
        to: order.customer_email,
    })
}

fn totals(order: &OrderMail) -> Result<Vec<Total>, InvalidCurrency> {
    let total = |label, minor| {
        let amount = money(order, minor)?.to_string();
        Ok(Total { label, amount })
    };
    let mut totals = vec![total("Subtotal", order.subtotal_minor)?];
    if order.discount_minor > 0 {
        totals.push(total("Discount", -order.discount_minor)?);
    }
    totals.push(total("Shipping", order.shipping_minor)?);
    let tax = if order.tax_included {
        "Tax, included above"
    } else {
        "Tax"
    };
    totals.push(total(tax, order.tax_minor)?);
    totals.push(total("Total", order.total_minor)?);
    Ok(totals)
}

fn money(order: &OrderMail, minor: i64) -> Result<Money, InvalidCurrency> {
    let currency = Currency::try_from(order.currency.as_str())?;
    Ok(Money::new(minor, currency))
}

fn address(address: &MailAddress) -> Vec<String> {
    let city = format!("{} {}", address.postal_code, address.city);
    [
        Some(address.name.clone()),
        Some(address.line1.clone()),
        address.line2.clone(),
        Some(city),
        address.region.clone(),
        Some(address.country.clone()),
    ]
    .into_iter()
    .flatten()
    .filter(|line| !line.trim().is_empty())
    .collect()
}
