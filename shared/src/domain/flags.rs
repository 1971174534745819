//! What an operator can switch off, each with what that means.

/// A kill switch. On unless somebody switched it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// Placing orders, and paying for those that wait for their payment.
    Checkout,
    /// Making and changing carts; orders can still be placed with lines.
    Carts,
    /// Paying by card; the wallet still works.
    CardPayments,
    /// Paying from the wallet, and crediting it.
    Wallet,
    /// Paying back by hand; cancellations still pay back what was charged.
    Refunds,
    /// New accounts.
    Registration,
    /// Searching by words; lists and filters still work.
    Search,
    /// New pictures.
    Uploads,
}

/// The feature is switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} is switched off", .0.name())]
pub struct FeatureDisabled(pub Flag);

impl Flag {
    /// Every switch there is.
    pub const ALL: [Self; 8] = [
        Self::Checkout,
        Self::Carts,
        Self::CardPayments,
        Self::Wallet,
        Self::Refunds,
        Self::Registration,
        Self::Search,
        Self::Uploads,
    ];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Carts => "carts",
            Self::CardPayments => "card_payments",
            Self::Wallet => "wallet",
            Self::Refunds => "refunds",
            Self::Registration => "registration",
            Self::Search => "search",
            Self::Uploads => "uploads",
        }
    }

    /// The switch of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flag| flag.name() == name)
    }

    /// What cannot be done while it is off.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Checkout => "Placing orders, and paying for those that wait for their payment",
            Self::Carts => "Making and changing carts; orders can still be placed with lines",
            Self::CardPayments => "Paying by card; the wallet still works",
            Self::Wallet => "Paying from the wallet, and crediting it",
            Self::Refunds => "Paying back by hand; cancellations still pay back what was charged",
            Self::Registration => "New accounts",
            Self::Search => "Searching by words; lists and filters still work",
            Self::Uploads => "New pictures",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_is_found_by_its_name_and_no_other_is() {
        for flag in Flag::ALL {
            assert_eq!(Flag::from_name(flag.name()), Some(flag));
        }
        assert_eq!(Flag::from_name("Checkout"), None);
    }
}
