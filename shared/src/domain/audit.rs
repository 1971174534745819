//! What admins do that is written down.

use serde::Deserialize;

/// What somebody did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
pub enum Action {
    /// Gave an account another role.
    #[serde(rename = "user.role")]
    UserRole,
    /// Paid back a part of an order, or all of it.
    #[serde(rename = "order.refund")]
    OrderRefund,
    /// Added to a wallet.
    #[serde(rename = "wallet.credit")]
    WalletCredit,
    /// Replaced the shipping rates or the tax rates.
    #[serde(rename = "rates.replace")]
    RatesReplace,
    /// Switched a feature off or on.
    #[serde(rename = "flag.set")]
    FlagSet,
    /// Held a breaker, or let it go.
    #[serde(rename = "breaker.set")]
    BreakerSet,
    /// Replayed one dead letter.
    #[serde(rename = "dead_letter.replay")]
    DeadLetterReplay,
    /// Gave one dead letter up.
    #[serde(rename = "dead_letter.discard")]
    DeadLetterDiscard,
    /// Replayed many dead letters.
    #[serde(rename = "dead_letters.replay")]
    DeadLettersReplay,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::UserRole,
        Self::OrderRefund,
        Self::WalletCredit,
        Self::RatesReplace,
        Self::FlagSet,
        Self::BreakerSet,
        Self::DeadLetterReplay,
        Self::DeadLetterDiscard,
        Self::DeadLettersReplay,
    ];

    /// Its name in the database and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserRole => "user.role",
            Self::OrderRefund => "order.refund",
            Self::WalletCredit => "wallet.credit",
            Self::RatesReplace => "rates.replace",
            Self::FlagSet => "flag.set",
            Self::BreakerSet => "breaker.set",
            Self::DeadLetterReplay => "dead_letter.replay",
            Self::DeadLetterDiscard => "dead_letter.discard",
            Self::DeadLettersReplay => "dead_letters.replay",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_what_the_api_takes() {
        for action in Action::ALL {
            let read = serde_json::from_value::<Action>(action.name().into());
            assert_eq!(read.unwrap(), action);
        }
    }
}
