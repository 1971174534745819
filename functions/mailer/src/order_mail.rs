//! Mails about an order.

use shared::config::ShopConfig;
use shared::domain::address::ShippingAddress;
use shared::domain::intent::RejectionReason;
use shared::domain::money::{Currency, InvalidCurrency, Money};
use shared::store::order_mail::{OrderMail, OrderMailLine, Shipment};
use time::{OffsetDateTime, UtcOffset};

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

/// Tells that an accepted order could not be filled, and why.
pub(crate) fn rejected(
    shop: &ShopConfig,
    order: OrderMail,
    lines: Vec<OrderMailLine>,
    (reason, skus): (RejectionReason, &[String]),
) -> Result<Content, InvalidCurrency> {
    let about: Vec<&str> = lines
        .iter()
        .filter(|line| skus.contains(&line.sku))
        .map(|line| line.title.as_str())
        .collect();
    let why = match reason {
        RejectionReason::OutOfStock => {
            format!("There is not enough left of: {}.", about.join(", "))
        }
        RejectionReason::NotForSale => format!("No longer on sale: {}.", about.join(", ")),
        RejectionReason::PaymentMethodGone => {
            "The saved card that you chose is no longer there.".to_owned()
        }
        RejectionReason::AccountClosed => "Your account was closed.".to_owned(),
    };
    let paragraphs = vec![
        format!(
            "We are sorry, {}. We had accepted your order, but cannot fill it.",
            order.customer_name
        ),
        why,
        "Nothing was charged and nothing is reserved; you are welcome to order again.".to_owned(),
    ];
    let totals = totals(&order)?;
    content(
        shop,
        order,
        lines,
        Words {
            subject: "Your order could not be filled",
            paragraphs,
            totals,
        },
    )
}

/// Tells that the customer's bank wants them to confirm the payment, and until when.
pub(crate) fn needs_authentication(
    shop: &ShopConfig,
    order: OrderMail,
    lines: Vec<OrderMailLine>,
    until: OffsetDateTime,
) -> Result<Content, InvalidCurrency> {
    let until = until.to_offset(UtcOffset::UTC);
    let paragraphs = vec![
        format!(
            "Hello {}, your bank wants you to confirm the payment for your order.",
            order.customer_name
        ),
        format!(
            "Please open the order and pay it before {:02}:{:02} UTC. Until then we keep everything for you; after that the order is cancelled. Nothing was charged so far.",
            until.hour(),
            until.minute()
        ),
    ];
    let totals = totals(&order)?;
    content(
        shop,
        order,
        lines,
        Words {
            subject: "Please confirm the payment for your order",
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
        subject: format!("{}: {}", shop.name, words.subject),
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

fn address(address: &ShippingAddress) -> Vec<String> {
    let city = format!("{} {}", address.postal_code, address.city);
    [
        Some(address.name.clone()),
        Some(address.line1.clone()),
        address.line2.clone(),
        Some(city),
        address.region.clone(),
        Some(address.country.as_str().to_owned()),
    ]
    .into_iter()
    .flatten()
    .filter(|line| !line.trim().is_empty())
    .collect()
}

#[cfg(test)]
mod tests {
    use shared::providers::mail::Letter;
    use uuid::Uuid;

    use super::*;

    fn shop() -> ShopConfig {
        ShopConfig {
            name: "Holdfast".into(),
            url: "https://shop.example/".into(),
        }
    }

    fn order() -> OrderMail {
        let address = serde_json::json!({
            "name": "Ada", "line1": "1 <Main>", "city": "Berlin", "postal_code": "10115", "country": "DE"
        });
        OrderMail {
            id: Uuid::nil(),
            currency: "EUR".into(),
            subtotal_minor: 5997,
            discount_minor: 500,
            shipping_minor: 490,
            tax_minor: 956,
            tax_included: true,
            total_minor: 5987,
            captured_minor: 5987,
            payment_method: "card".into(),
            payment_last4: Some("4242".into()),
            reserved_until: None,
            shipping_address: serde_json::from_value(address).unwrap(),
            customer_name: "Ada <b>L</b>".into(),
            customer_email: "ada@example.com".into(),
        }
    }

    fn lines() -> Vec<OrderMailLine> {
        vec![OrderMailLine {
            sku: "MUG".into(),
            title: "Mug & \"lid\"".into(),
            quantity: 3,
            line_total_minor: 5997,
        }]
    }

    fn letter(content: Result<Content, InvalidCurrency>) -> Letter {
        content.unwrap().letter(&shop()).unwrap()
    }

    #[test]
    fn confirmation_says_what_was_bought_and_what_it_cost() {
        let letter = letter(paid(&shop(), order(), lines()));
        assert_eq!(letter.to, "ada@example.com");
        for part in [
            "3 x Mug & \"lid\"  59.97 EUR",
            "Discount: -5.00 EUR",
            "Tax, included above: 9.56 EUR",
            "Total: 59.87 EUR",
            "card ending in 4242",
            "10115 Berlin",
            "https://shop.example/orders/00000000-0000-0000-0000-000000000000",
        ] {
            assert!(letter.text.contains(part), "{part} in {}", letter.text);
        }
    }

    #[test]
    fn what_people_typed_is_escaped_in_html() {
        let letter = letter(paid(&shop(), order(), lines()));
        for raw in ["<b>L", "<Main>", "& \"lid\""] {
            assert!(!letter.html.contains(raw), "{raw} in {}", letter.html);
        }
        assert!(letter.html.contains("59.87 EUR"));
    }

    #[test]
    fn cancellation_promises_only_what_was_charged() {
        let charged = letter(cancelled(&shop(), order(), lines()));
        assert!(charged.text.contains("59.87 EUR goes back"));
        let unpaid = OrderMail {
            captured_minor: 0,
            ..order()
        };
        let uncharged = letter(cancelled(&shop(), unpaid, lines()));
        assert!(uncharged.text.contains("Nothing was charged."));
    }

    #[test]
    fn rejection_says_why_and_about_what() {
        let skus = ["MUG".to_owned()];
        let about = (RejectionReason::OutOfStock, skus.as_slice());
        let letter = letter(rejected(&shop(), order(), lines(), about));
        for part in ["not enough left of: Mug & \"lid\".", "Nothing was charged"] {
            assert!(letter.text.contains(part), "{part} in {}", letter.text);
        }
    }

    #[test]
    fn customer_is_told_until_when_to_confirm() {
        let until = OffsetDateTime::UNIX_EPOCH + time::Duration::minutes(14 * 60 + 5);
        let letter = letter(needs_authentication(&shop(), order(), lines(), until));
        assert!(letter.text.contains("before 14:05 UTC"), "{}", letter.text);
    }

    #[test]
    fn shipment_lists_no_prices() {
        let shipment = Shipment {
            carrier: "DHL".into(),
            tracking_number: "JD014".into(),
        };
        let letter = letter(fulfilled(&shop(), order(), (shipment, lines())));
        assert!(letter.text.contains("Tracking number: JD014"));
        assert!(!letter.text.contains("EUR"), "{}", letter.text);
    }
}
