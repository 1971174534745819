//! The wallet: its balance, its ledger, and credits that an admin gives.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::domain::audit::Action;
use shared::domain::catalogue::Reason;
use shared::domain::flags::Flag;
use shared::domain::idempotency::IdempotencyKey;
use shared::domain::money::{Currency, Money};
use shared::http::idempotency::{Answer, answer_before, fingerprint};
use shared::http::{Admin, ApiError, Json, Page, PageQuery, Path, Problem, Query, SteppedUp, User};
use shared::store::audit::{self, Entry};
use shared::store::database;
use shared::store::idempotency::{self, Scope};
use shared::store::wallets::{self, Added, EntryKind, NewEntry};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::AppState;

/// The most that one credit may give, in minor units.
const CREDIT_MAX_MINOR: i64 = 99_999_999;

/// A wallet and a page of its ledger.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct WalletView {
    id: Uuid,
    balance: Money,
    /// The newest first.
    entries: Vec<EntryView>,
    next_cursor: Option<String>,
}

/// One line of the ledger.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
struct EntryView {
    id: Uuid,
    sequence: i64,
    kind: EntryKind,
    /// Negative for a payment.
    amount: Money,
    balance_after: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<Uuid>,
    reason: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    created_at: OffsetDateTime,
}

/// A credit to be given.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreditBody {
    amount: Money,
    /// 1 to 200 characters.
    #[schema(value_type = String, min_length = 1, max_length = 200, example = "sorry for the delay")]
    reason: Reason,
}

/// A credit that was given.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct CreditView {
    user_id: Uuid,
    amount: Money,
    balance: Money,
}

/// Shows the caller's wallet and its ledger.
#[utoipa::path(
    get, path = "/wallet", tag = "buying", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "The wallet", body = WalletView), (status = 401, body = Problem, content_type = "application/problem+json", description = "Not signed in"))
)]
pub(crate) async fn get_wallet(
    State(state): State<AppState>,
    user: User,
    Query(page): Query<PageQuery>,
) -> Result<Json<WalletView>, ApiError> {
    let (limit, before) = (page.limit()?, page.position::<i64>()?);
    let read = state.database.read_own(|pool| {
        let user_id = user.id();
        async move {
            let Some(wallet) = wallets::load(&pool, user_id).await? else {
                return Ok(None);
            };
            let entries = wallets::entries(&pool, wallet.id, before, limit).await?;
            Ok(Some((wallet, entries)))
        }
    });
    let (wallet, entries) = read.await?.ok_or_else(ApiError::not_found)?;
    let currency = Currency::try_from(wallet.currency.trim()).map_err(ApiError::internal)?;
    let page =
        Page::cut(entries, limit, |entry| entry.sequence)?.map(|entry| entry_view(entry, currency));
    let balance = Money::new(wallet.balance_minor, currency);
    Ok(Json(WalletView {
        id: wallet.id,
        balance,
        entries: page.items,
        next_cursor: page.next_cursor,
    }))
}

fn entry_view(entry: wallets::Entry, currency: Currency) -> EntryView {
    EntryView {
        id: entry.id,
        sequence: entry.sequence,
        kind: entry.kind,
        amount: Money::new(entry.amount_minor, currency),
        balance_after: Money::new(entry.balance_after_minor, currency),
        order_id: entry.order_id,
        reason: entry.reason,
        created_at: entry.created_at,
    }
}

/// Gives somebody a credit.
#[utoipa::path(
    post, path = "/wallets/{user_id}/credits", tag = "buying", security(("bearer" = [])),
    params(("user_id" = Uuid, Path), ("Idempotency-Key" = String, Header, description = "1 to 255 printable characters")),
    request_body = CreditBody,
    responses(
        (status = 201, description = "Given", body = CreditView),
        (status = 403, description = "Not an admin (`forbidden`), or without a second factor (`step-up-required`)", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Not valid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn post_credit(
    State(state): State<AppState>,
    SteppedUp(Admin(admin)): SteppedUp,
    Path(user_id): Path<Uuid>,
    key: IdempotencyKey,
    Json(body): Json<CreditBody>,
) -> Result<Answer, ApiError> {
    check(&body, state.currency)?;
    state.flags.require(Flag::Wallet).await?;
    let fingerprint = fingerprint(&user_id.to_string(), &body)?;
    let scope = Scope {
        caller: admin.id(),
        route: "POST /wallets/{user_id}/credits",
        key: &key,
        fingerprint,
    };
    let mut tx = state.database.begin().await?;
    if let Some(answer) = answer_before(idempotency::claim(&mut tx, &scope).await?)? {
        return Ok(answer);
    }
    let entry = NewEntry {
        user_id,
        kind: EntryKind::Credit,
        amount_minor: body.amount.minor(),
        order_id: None,
        reference: &format!("credit-{}-{}", admin.id(), key.as_str()),
        reason: body.reason.as_str(),
        created_by: admin.id(),
    };
    let Added::Balance(balance) = wallets::add_entry(&mut tx, &entry).await? else {
        return Err(ApiError::not_found());
    };
    let subject = user_id.to_string();
    let detail = json!({ "amount_minor": body.amount.minor(), "reason": body.reason });
    audit::record(
        &mut tx,
        &Entry {
            actor: admin.id(),
            action: Action::WalletCredit,
            subject: &subject,
            detail,
        },
    )
    .await?;
    let balance = Money::new(balance, body.amount.currency());
    let answer = Answer::json(
        StatusCode::CREATED,
        &CreditView {
            user_id,
            amount: body.amount,
            balance,
        },
    )?;
    idempotency::finish(&mut tx, &scope, answer.saved()).await?;
    database::commit(tx).await?;
    Ok(answer)
}

fn check(body: &CreditBody, currency: Currency) -> Result<(), ApiError> {
    if body.amount.currency() != currency {
        return Err(ApiError::invalid(
            "/amount/currency",
            format!("must be {currency}"),
        ));
    }
    if !(1..=CREDIT_MAX_MINOR).contains(&body.amount.minor()) {
        return Err(ApiError::invalid(
            "/amount/amount",
            "must be from 1 to 99999999",
        ));
    }
    Ok(())
}
