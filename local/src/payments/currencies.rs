//! Currencies that Stripe takes, and the bounds of an amount.

use super::charges::readable;
use super::errors::ApiError;

const AMOUNT_MIN: i64 = 50;
const AMOUNT_MAX: i64 = 99_999_999;

/// docs.stripe.com/currencies
const CURRENCIES: &str = "usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bif bmd bnd \
    bob brl bsd bwp byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd \
    fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jpy kes kgs khr kmf krw \
    kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio \
    nok npr nzd pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos \
    srd std szl thb tjs top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar \
    zmw";

pub(super) fn check_currency(currency: &str) -> Result<(), ApiError> {
    if CURRENCIES.split_whitespace().any(|known| known == currency) {
        return Ok(());
    }
    let list = CURRENCIES.split_whitespace().collect::<Vec<_>>().join(", ");
    let message =
        format!("Invalid currency: {currency}. Stripe currently supports these currencies: {list}");
    Err(ApiError::invalid(message).param("currency"))
}

pub(super) fn check_amount(amount: i64, currency: &str) -> Result<(), ApiError> {
    if amount < AMOUNT_MIN {
        let message = format!("Amount must be at least {}", readable(AMOUNT_MIN, currency));
        return Err(ApiError::invalid(message)
            .code("amount_too_small")
            .param("amount"));
    }
    if amount > AMOUNT_MAX {
        let message = format!(
            "Amount must be no more than {}",
            readable(AMOUNT_MAX, currency)
        );
        return Err(ApiError::invalid(message)
            .code("amount_too_large")
            .param("amount"));
    }
    Ok(())
}
