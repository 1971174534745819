//! Sends the mails that events call for.
#![recursion_limit = "256"]

mod account_mail;
mod letter;
mod order_mail;

use letter::Content;
use shared::config::ShopConfig;
use shared::domain::events::{Envelope, Event};
use shared::domain::money::InvalidCurrency;
use shared::domain::secrets::{NoRandomness, Opaque};
use shared::events::Failure;
use shared::providers::mail::{Letter, MailError};
use shared::resilience::CallError;
use shared::resilience::policies::MAIL_LEASE;
use shared::state::Mailer;
use shared::store::accounts::{self, Recipient};
use shared::store::database::{self, Tx};
use shared::store::mail_tokens::{self, Purpose};
use shared::store::order_mail::{self as orders, OrderMail, OrderMailLine};
use shared::store::{StoreError, outbox};
use uuid::Uuid;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Mailer>;

/// This function's name in the inbox.
const CONSUMER: &str = "mailer";

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error("the database failed")]
    Store(#[from] StoreError),
    #[error("no mail provider took it")]
    Mail(#[from] CallError<MailError>),
    #[error("the mail is being sent")]
    UnderWay,
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("the mail could not be written")]
    Template(#[from] askama::Error),
    #[error("the order has no known currency")]
    Currency(#[from] InvalidCurrency),
    #[error("no mail is sent for {0}")]
    NotMail(&'static str),
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Store(StoreError::Unavailable(_))
            | SendError::Mail(_)
            | SendError::NoRandomness(_)
            | SendError::UnderWay => Self::again(error),
            SendError::Store(_)
            | SendError::Template(_)
            | SendError::Currency(_)
            | SendError::NotMail(_) => Self::defect(error),
        }
    }
}

/// Sends the mail that an event calls for.
///
/// The intention is stored, then the mail is handed over outside of any
/// transaction, then the inbox row is written: killed in between, the mail is sent
/// again rather than never.
///
/// # Errors
/// The message goes back to its queue.
pub async fn handle(state: AppState, envelope: Envelope, event: Event) -> Result<(), Failure> {
    Ok(send(&state, envelope.id, &event).await?)
}

async fn send(state: &AppState, event_id: Uuid, event: &Event) -> Result<(), SendError> {
    let Some(letter) = begin(state, event_id, event).await? else {
        return Ok(());
    };
    let sent = state.mail.send(event_id, letter).await;
    let mut tx = state.database.begin().await?;
    outbox::end_lease(&mut tx, CONSUMER, event_id)
        .await
        .map_err(StoreError::from)?;
    if sent.is_ok() {
        outbox::record_effect(&mut tx, CONSUMER, event_id)
            .await
            .map_err(StoreError::from)?;
    }
    database::commit(tx).await?;
    Ok(sent?)
}

/// Takes the event on, unless its mail was sent or is being sent, and writes that mail.
async fn begin(
    state: &AppState,
    event_id: Uuid,
    event: &Event,
) -> Result<Option<Letter>, SendError> {
    let mut tx = state.database.begin().await?;
    let leased = outbox::lease_effect(&mut tx, CONSUMER, event_id, MAIL_LEASE).await;
    if !leased.map_err(StoreError::from)? {
        return Err(SendError::UnderWay);
    }
    let sent = outbox::had_effect(&mut tx, CONSUMER, event_id).await;
    if sent.map_err(StoreError::from)? {
        return Ok(None);
    }
    let shop = &state.config.shop;
    let letter = match compose(shop, &mut tx, event).await? {
        Some(content) => Some(content.letter(shop)?),
        None => {
            let done = outbox::record_effect(&mut tx, CONSUMER, event_id).await;
            done.map_err(StoreError::from)?;
            let ended = outbox::end_lease(&mut tx, CONSUMER, event_id).await;
            ended.map_err(StoreError::from)?;
            None
        }
    };
    database::commit(tx).await?;
    Ok(letter)
}

/// What the mail says; nothing when nobody is left to read it.
async fn compose(
    shop: &ShopConfig,
    tx: &mut Tx,
    event: &Event,
) -> Result<Option<Content>, SendError> {
    match *event {
        Event::AccountRegistered { .. }
        | Event::VerificationRequested { .. }
        | Event::PasswordResetRequested { .. }
        | Event::AddressTaken { .. }
        | Event::PasswordChanged { .. }
        | Event::SecondFactorSet { .. } => compose_about_account(shop, tx, event).await,
        Event::OrderPaid { order_id } => {
            about_order(tx, order_id, |order, lines| {
                order_mail::paid(shop, order, lines)
            })
            .await
        }
        Event::OrderPaymentFailed { order_id } => {
            about_order(tx, order_id, |order, lines| {
                order_mail::payment_failed(shop, order, lines)
            })
            .await
        }
        Event::OrderCancelled { order_id } => {
            about_order(tx, order_id, |order, lines| {
                order_mail::cancelled(shop, order, lines)
            })
            .await
        }
        Event::OrderFulfilled {
            order_id,
            fulfilment_id,
        } => shipped(shop, tx, (order_id, fulfilment_id)).await,
        Event::OrderRejected {
            order_id,
            reason,
            ref skus,
        } => {
            about_order(tx, order_id, |order, lines| {
                order_mail::rejected(shop, order, lines, (reason, skus))
            })
            .await
        }
        Event::OrderNeedsAuthentication { order_id } => {
            needs_authentication(shop, tx, order_id).await
        }
        Event::PaymentDue { .. }
        | Event::OrderReceived { .. }
        | Event::WebhookReceived { .. }
        | Event::RefundDue { .. }
        | Event::ProductChanged { .. }
        | Event::CategoriesChanged
        | Event::RatesChanged
        | Event::ActivityReported { .. } => Err(SendError::NotMail(event.type_name())),
    }
}

async fn compose_about_account(
    shop: &ShopConfig,
    tx: &mut Tx,
    event: &Event,
) -> Result<Option<Content>, SendError> {
    use account_mail::{
        address_taken, password_changed, password_reset, second_factor_set, verification,
    };
    match *event {
        Event::AccountRegistered { user_id } | Event::VerificationRequested { user_id } => {
            with_token(tx, (user_id, Purpose::VerifyEmail), |owner, token| {
                verification(shop, owner, token)
            })
            .await
        }
        Event::PasswordResetRequested { user_id } => {
            with_token(tx, (user_id, Purpose::ResetPassword), |owner, token| {
                password_reset(shop, owner, token)
            })
            .await
        }
        Event::AddressTaken { user_id } => {
            about_account(tx, user_id, |owner| address_taken(shop, owner)).await
        }
        Event::PasswordChanged { user_id } => {
            about_account(tx, user_id, |owner| password_changed(shop, owner)).await
        }
        Event::SecondFactorSet { user_id } => {
            about_account(tx, user_id, |owner| second_factor_set(shop, owner)).await
        }
        _ => Err(SendError::NotMail(event.type_name())),
    }
}

/// Nothing when there is no such account: it was erased, or never was there.
async fn about_account(
    tx: &mut Tx,
    user_id: Uuid,
    write: impl FnOnce(Recipient) -> Content,
) -> Result<Option<Content>, SendError> {
    let owner = accounts::recipient(tx, user_id).await;
    Ok(owner.map_err(StoreError::from)?.map(write))
}

/// Makes the token only now, so that none ever waits in a queue.
async fn with_token(
    tx: &mut Tx,
    (user_id, purpose): (Uuid, Purpose),
    write: impl FnOnce(Recipient, &Opaque) -> Content,
) -> Result<Option<Content>, SendError> {
    let owner = accounts::recipient(tx, user_id).await;
    let Some(owner) = owner.map_err(StoreError::from)? else {
        return Ok(None);
    };
    let token = Opaque::generate()?;
    let added = mail_tokens::add(tx, user_id, (purpose, &token.digest())).await;
    added.map_err(StoreError::from)?;
    Ok(Some(write(owner, &token)))
}

async fn about_order(
    tx: &mut Tx,
    order_id: Uuid,
    write: impl FnOnce(OrderMail, Vec<OrderMailLine>) -> Result<Content, InvalidCurrency>,
) -> Result<Option<Content>, SendError> {
    let order = orders::order(tx, order_id).await;
    let Some(order) = order.map_err(StoreError::from)? else {
        return Ok(None);
    };
    let lines = orders::lines(tx, order_id).await;
    Ok(Some(write(order, lines.map_err(StoreError::from)?)?))
}

/// Nothing when the order does not wait for its customer any more.
async fn needs_authentication(
    shop: &ShopConfig,
    tx: &mut Tx,
    order_id: Uuid,
) -> Result<Option<Content>, SendError> {
    let order = orders::order(tx, order_id).await;
    let order = order.map_err(StoreError::from)?;
    let Some((order, until)) = order.and_then(|order| {
        let until = order.reserved_until?;
        Some((order, until))
    }) else {
        return Ok(None);
    };
    let lines = orders::lines(tx, order_id).await;
    let lines = lines.map_err(StoreError::from)?;
    Ok(Some(order_mail::needs_authentication(
        shop, order, lines, until,
    )?))
}

async fn shipped(
    shop: &ShopConfig,
    tx: &mut Tx,
    (order_id, fulfilment_id): (Uuid, Uuid),
) -> Result<Option<Content>, SendError> {
    let order = orders::order(tx, order_id).await;
    let shipment = orders::shipment(tx, fulfilment_id).await;
    let (Some(order), Some(shipment)) = (
        order.map_err(StoreError::from)?,
        shipment.map_err(StoreError::from)?,
    ) else {
        return Ok(None);
    };
    let lines = orders::shipped_lines(tx, fulfilment_id).await;
    let shipped = (shipment, lines.map_err(StoreError::from)?);
    Ok(Some(order_mail::fulfilled(shop, order, shipped)?))
}
