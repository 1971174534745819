//! Stripe's published test cards (docs.stripe.com/testing): what each looks like and does.

/// A test card, used as `pm_card_<name>` or `tok_<name>`.
#[derive(Debug)]
pub(super) struct TestCard {
    pub(super) name: &'static str,
    pub(super) brand: &'static str,
    pub(super) last4: &'static str,
    pub(super) funding: &'static str,
    pub(super) country: &'static str,
    pub(super) behaviour: Behaviour,
}

/// What the card's issuer does when the card is charged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Behaviour {
    Approves,
    /// Refuses charges, and also being attached to a customer.
    Declines(Decline),
    /// Can be attached to a customer and refuses only the charge.
    DeclinesCharges(Decline),
    /// Asks for authentication every time, then approves.
    Asks,
    /// Asks for authentication every time, then refuses.
    AsksThenDeclines(Decline),
    /// Asks for authentication only while the customer is present.
    AsksOnSession,
}

/// Why a charge is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decline {
    pub(super) code: &'static str,
    pub(super) decline_code: Option<&'static str>,
    pub(super) message: &'static str,
}

/// What happens next with a charge.
#[derive(Debug, Clone, Copy)]
pub(super) enum Verdict {
    Approve,
    Decline(Decline),
    Authenticate,
}

impl TestCard {
    /// The card behind `pm_card_<name>`.
    pub(super) fn of_method(id: &str) -> Option<&'static Self> {
        Self::named(id.strip_prefix("pm_card_")?)
    }

    /// The card behind `tok_<name>`.
    pub(super) fn of_token(id: &str) -> Option<&'static Self> {
        Self::named(id.strip_prefix("tok_")?)
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        CARDS.iter().find(|card| card.name == name)
    }
}

impl Behaviour {
    /// The answer to a first attempt; nobody is there to authenticate when off session.
    pub(super) fn verdict(self, is_off_session: bool) -> Verdict {
        match self {
            Self::Approves => Verdict::Approve,
            Self::Declines(decline) | Self::DeclinesCharges(decline) => Verdict::Decline(decline),
            Self::AsksOnSession if is_off_session => Verdict::Approve,
            Self::Asks | Self::AsksThenDeclines(_) if is_off_session => {
                Verdict::Decline(AUTHENTICATION_REQUIRED)
            }
            Self::Asks | Self::AsksThenDeclines(_) | Self::AsksOnSession => Verdict::Authenticate,
        }
    }

    /// The answer once the customer has authenticated.
    pub(super) fn verdict_when_authenticated(self) -> Verdict {
        match self {
            Self::AsksThenDeclines(decline) => Verdict::Decline(decline),
            _ => Verdict::Approve,
        }
    }
}

/// The refusal of a card that wants its owner to authenticate.
pub(super) const AUTHENTICATION_REQUIRED: Decline = Decline {
    code: "authentication_required",
    decline_code: Some("authentication_required"),
    message: "Your card was declined. This transaction requires authentication.",
};

const GENERIC: Decline = declined("generic_decline", "Your card was declined.");
const INSUFFICIENT_FUNDS: Decline =
    declined("insufficient_funds", "Your card has insufficient funds.");

const VELOCITY: &str = "Your card was declined for making repeated attempts too frequently or \
                        exceeding its amount limit.";

const CARDS: &[TestCard] = &[
    card("visa", "visa", "4242", Behaviour::Approves),
    debit("visa_debit", "visa", "5556"),
    card("mastercard", "mastercard", "4444", Behaviour::Approves),
    debit("mastercard_debit", "mastercard", "8210"),
    prepaid("mastercard_prepaid", "mastercard", "5100"),
    card("amex", "amex", "8431", Behaviour::Approves),
    card("discover", "discover", "1117", Behaviour::Approves),
    card("diners", "diners", "0004", Behaviour::Approves),
    card("jcb", "jcb", "0505", Behaviour::Approves),
    card("unionpay", "unionpay", "0005", Behaviour::Approves),
    visa("visa_chargeDeclined", "0002", Behaviour::Declines(GENERIC)),
    visa("chargeDeclined", "0002", Behaviour::Declines(GENERIC)),
    visa(
        "visa_chargeDeclinedInsufficientFunds",
        "9995",
        Behaviour::Declines(INSUFFICIENT_FUNDS),
    ),
    visa(
        "chargeDeclinedInsufficientFunds",
        "9995",
        Behaviour::Declines(INSUFFICIENT_FUNDS),
    ),
    visa(
        "visa_chargeDeclinedLostCard",
        "9987",
        Behaviour::Declines(declined("lost_card", "Your card was declined.")),
    ),
    visa(
        "visa_chargeDeclinedStolenCard",
        "9979",
        Behaviour::Declines(declined("stolen_card", "Your card was declined.")),
    ),
    visa(
        "visa_chargeDeclinedVelocityLimitExceeded",
        "6975",
        Behaviour::Declines(declined("card_velocity_exceeded", VELOCITY)),
    ),
    visa(
        "chargeDeclinedExpiredCard",
        "0069",
        Behaviour::Declines(failed("expired_card", "Your card has expired.")),
    ),
    visa(
        "chargeDeclinedIncorrectCvc",
        "0127",
        Behaviour::Declines(failed(
            "incorrect_cvc",
            "Your card's security code is incorrect.",
        )),
    ),
    visa(
        "chargeDeclinedProcessingError",
        "0119",
        Behaviour::Declines(failed(
            "processing_error",
            "An error occurred while processing your card. Try again in a little bit.",
        )),
    ),
    visa(
        "chargeCustomerFail",
        "0341",
        Behaviour::DeclinesCharges(GENERIC),
    ),
    visa("authenticationRequired", "3184", Behaviour::Asks),
    visa("authenticationRequiredOnSetup", "3155", Behaviour::Asks),
    visa(
        "authenticationRequiredSetupForOffSession",
        "0446",
        Behaviour::AsksOnSession,
    ),
    visa(
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        "3178",
        Behaviour::AsksThenDeclines(INSUFFICIENT_FUNDS),
    ),
    visa("threeDSecure2Required", "3220", Behaviour::Asks),
    visa("threeDSecureRequired", "3063", Behaviour::Asks),
    visa(
        "threeDSecureRequiredChargeDeclined",
        "1629",
        Behaviour::AsksThenDeclines(GENERIC),
    ),
    visa("threeDSecureOptional", "3055", Behaviour::Approves),
];

const fn declined(decline_code: &'static str, message: &'static str) -> Decline {
    Decline {
        code: "card_declined",
        decline_code: Some(decline_code),
        message,
    }
}

const fn failed(code: &'static str, message: &'static str) -> Decline {
    Decline {
        code,
        decline_code: None,
        message,
    }
}

const fn card(
    name: &'static str,
    brand: &'static str,
    last4: &'static str,
    behaviour: Behaviour,
) -> TestCard {
    TestCard {
        name,
        brand,
        last4,
        funding: "credit",
        country: "US",
        behaviour,
    }
}

const fn visa(name: &'static str, last4: &'static str, behaviour: Behaviour) -> TestCard {
    card(name, "visa", last4, behaviour)
}

const fn debit(name: &'static str, brand: &'static str, last4: &'static str) -> TestCard {
    TestCard {
        funding: "debit",
        ..card(name, brand, last4, Behaviour::Approves)
    }
}

const fn prepaid(name: &'static str, brand: &'static str, last4: &'static str) -> TestCard {
    TestCard {
        funding: "prepaid",
        ..card(name, brand, last4, Behaviour::Approves)
    }
}
