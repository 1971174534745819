//! What buyers send, and what of it is refused before anything else is looked at.

use serde::{Deserialize, Serialize};
use shared::domain::address::ShippingAddress;
use shared::domain::cart::{Lines, Quantity};
use shared::domain::catalogue::Sku;
use shared::domain::flags::Flag;
use shared::domain::money::{Currency, Money};
use shared::domain::order::PaymentMethodKind;
use shared::domain::payment::{Means, holds_card_number};
use shared::http::ApiError;
use uuid::Uuid;

use crate::AppState;

/// An order to be placed: either a cart or lines.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceOrder {
    /// The cart to be ordered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cart_id: Option<Uuid>,
    /// What is ordered, without a cart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lines: Option<Vec<LineBody>>,
    /// Where it goes.
    pub(crate) shipping_address: ShippingAddress,
    /// How it is paid.
    pub(crate) payment: PaymentBody,
    /// What the customer was shown; another total is refused with 409.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected_total: Option<Money>,
}

/// A SKU and how many of it.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineBody {
    sku: Sku,
    quantity: Quantity,
}

/// How an order is paid: a card by `token` or `payment_method_id`, or the wallet.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentBody {
    method: PaymentMethodKind,
    /// The provider's PaymentMethod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "pm_card_visa")]
    token: Option<String>,
    /// A saved card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payment_method_id: Option<Uuid>,
}

impl PlaceOrder {
    /// Refuses what cannot be ordered, naming every field at fault.
    pub(crate) fn check(&self, currency: Currency) -> Result<(), ApiError> {
        refuse_card_numbers(self)?;
        if self.cart_id.is_some() == self.lines.is_some() {
            return Err(ApiError::invalid(
                "/cart_id",
                "give either cart_id or lines",
            ));
        }
        let faults = self.shipping_address.faults();
        if let Some((first, rest)) = faults.split_first() {
            let pointer = |field: &str| format!("/shipping_address/{field}");
            let error = ApiError::invalid(pointer(first.0), first.1);
            return Err(rest.iter().fold(error, |error, (field, reason)| {
                error.field(pointer(field), *reason)
            }));
        }
        self.payment.check()?;
        match self.expected_total {
            Some(total) if total.currency() != currency => Err(ApiError::invalid(
                "/expected_total/currency",
                format!("must be {currency}"),
            )),
            _ => Ok(()),
        }
    }

    /// The lines in the body, summed.
    pub(crate) fn own_lines(&self) -> Result<Lines, ApiError> {
        let lines = self
            .lines
            .iter()
            .flatten()
            .map(|line| (line.sku.clone(), line.quantity));
        Lines::summed(lines).map_err(|error| ApiError::invalid("/lines", error.to_string()))
    }
}

impl PaymentBody {
    /// Refuses what is not a way to pay.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        match (self.method, &self.token, self.payment_method_id) {
            (PaymentMethodKind::Wallet, None, None) | (PaymentMethodKind::Card, None, Some(_)) => {
                Ok(())
            }
            (PaymentMethodKind::Wallet, ..) => Err(ApiError::invalid(
                "/payment/method",
                "the wallet takes no token and no payment_method_id",
            )),
            (PaymentMethodKind::Card, Some(token), None) => check_token("/payment/token", token),
            (PaymentMethodKind::Card, ..) => Err(ApiError::invalid(
                "/payment/token",
                "give either token or payment_method_id",
            )),
        }
    }

    /// Whether this way to pay is switched on, and ordering at all.
    pub(crate) async fn allowed(&self, state: &AppState) -> Result<(), ApiError> {
        state.flags.require(Flag::Checkout).await?;
        let way = match self.method {
            PaymentMethodKind::Card => Flag::CardPayments,
            PaymentMethodKind::Wallet => Flag::Wallet,
        };
        Ok(state.flags.require(way).await?)
    }

    /// With what is paid; a saved card is looked up later.
    pub(crate) fn means(&self) -> Means {
        match (&self.token, self.payment_method_id) {
            (Some(token), _) => Means::Token(token.clone()),
            (None, Some(id)) => Means::SavedCard(id),
            (None, None) => Means::Wallet,
        }
    }
}

/// A provider's token: `pm_…`.
pub(crate) fn check_token(pointer: &str, token: &str) -> Result<(), ApiError> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let good = token.len() <= 255
        && token
            .strip_prefix("pm_")
            .is_some_and(|id| !id.is_empty() && id.bytes().all(word));
    if good {
        Ok(())
    } else {
        Err(ApiError::invalid(
            pointer,
            "must be a PaymentMethod id, pm_…",
        ))
    }
}

/// Refuses a body that holds a card number anywhere. It is not repeated in the answer.
pub(crate) fn refuse_card_numbers(body: &impl Serialize) -> Result<(), ApiError> {
    let body = serde_json::to_value(body).map_err(ApiError::internal)?;
    match find_card_number(&body, String::new()) {
        Some(pointer) => Err(ApiError::invalid(
            pointer,
            "must not hold a card number; send the provider's token",
        )),
        None => Ok(()),
    }
}

fn find_card_number(value: &serde_json::Value, pointer: String) -> Option<String> {
    use serde_json::Value;
    match value {
        Value::String(text) => holds_card_number(text).then_some(pointer),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| find_card_number(item, format!("{pointer}/{index}"))),
        Value::Object(members) => members
            .iter()
            .find_map(|(name, member)| find_card_number(member, format!("{pointer}/{name}"))),
        _ => None,
    }
}
