//! Orders, the newest first, and the way to one whose id is known.

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;
use shared::domain::order::OrderStatus;
use shared::http::{ApiError, Page, PageQuery, Query};
use shared::store::order_trail::{self, Listed};
use shared::store::orders::Position;
use uuid::Uuid;

use super::choices::Choices;
use super::fields::{address, given};
use super::labels::Label;
use super::{Answer, Operator, Shell, Tab, shell, words};
use crate::AppState;

/// Where they are.
pub(super) const PATH: &str = "/console/orders";

/// Which are asked for.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    /// The one to open.
    #[serde(default, deserialize_with = "given")]
    id: Option<String>,
    #[serde(default, deserialize_with = "given")]
    status: Option<OrderStatus>,
    cursor: Option<String>,
}

impl Asked {
    fn at(&self, cursor: Option<String>) -> String {
        let status = self.status.map(|status| status.stored());
        address(PATH, [("status", status), ("cursor", cursor)])
    }
}

/// Why no order is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotOpened {
    NoId,
    NoOrder,
}

impl NotOpened {
    fn words(self) -> &'static str {
        match self {
            Self::NoId => "This is no id of an order.",
            Self::NoOrder => "There is no order with this id.",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::NoId => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NoOrder => StatusCode::NOT_FOUND,
        }
    }
}

#[derive(Template)]
#[template(path = "console/orders.html")]
struct List {
    shell: Shell,
    /// This page's own.
    address: String,
    id: String,
    problem: Option<&'static str>,
    statuses: Choices,
    orders: Vec<Listed>,
    older: Option<String>,
}

/// Shows a page of orders, or goes to the one that is asked for.
pub(crate) async fn show_all(
    State(state): State<AppState>,
    operator: Operator,
    Query(asked): Query<Asked>,
) -> Answer {
    let mut not_opened = None;
    if let Some(id) = &asked.id {
        match opened(&state, id).await? {
            Ok(id) => return Ok(Redirect::to(&format!("{PATH}/{id}")).into_response()),
            Err(problem) => not_opened = Some(problem),
        }
    }
    let page = page(&state, &asked).await?;
    let shown = shell::page(&List {
        shell: Shell::new(&operator, Tab::Orders, "Orders"),
        address: asked.at(asked.cursor.clone()),
        problem: not_opened.map(NotOpened::words),
        statuses: statuses(asked.status),
        orders: page.items,
        older: page.next_cursor.map(|cursor| asked.at(Some(cursor))),
        id: asked.id.unwrap_or_default(),
    })?;
    let status = not_opened.map_or(StatusCode::OK, NotOpened::status);
    Ok((status, shown).into_response())
}

async fn page(state: &AppState, asked: &Asked) -> Result<Page<Listed>, ApiError> {
    let query = PageQuery::new(None, asked.cursor.clone());
    let (limit, after) = (query.limit()?, query.position::<Position>()?);
    let status = asked.status;
    let read = state.database.read_own(|pool| async move {
        match status {
            None => order_trail::newest(&pool, after, limit).await,
            Some(status) => order_trail::newest_with_status(&pool, status, after, limit).await,
        }
    });
    Page::cut(read.await?, limit, Listed::position)
}

/// The order with this id.
async fn opened(state: &AppState, id: &str) -> Result<Result<Uuid, NotOpened>, ApiError> {
    let Ok(id) = id.parse::<Uuid>() else {
        return Ok(Err(NotOpened::NoId));
    };
    let read = state
        .database
        .read_own(|pool| async move { order_trail::exists(&pool, id).await });
    Ok(if read.await? {
        Ok(id)
    } else {
        Err(NotOpened::NoOrder)
    })
}

fn statuses(chosen: Option<OrderStatus>) -> Choices {
    let chosen = chosen.map(|status| status.stored());
    let chosen = chosen.as_deref();
    let all = OrderStatus::ALL.map(|it| (it.stored(), it.label()));
    Choices::any_or("any status", all, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_ones_have_the_same_status() {
        let asked = Asked {
            status: Some(OrderStatus::PaymentUnknown),
            ..Asked::default()
        };
        assert_eq!(asked.at(None), "/console/orders?status=payment_unknown");
        assert_eq!(
            asked.at(Some("abc".to_owned())),
            "/console/orders?status=payment_unknown&cursor=abc"
        );
        assert_eq!(Asked::default().at(None), PATH);
    }

    #[test]
    fn any_status_or_one_can_be_chosen() {
        let one = statuses(Some(OrderStatus::Paid)).to_string();
        assert_eq!(one.matches("<option").count(), OrderStatus::ALL.len() + 1);
        assert_eq!(one.matches(" selected").count(), 1);
        assert!(one.contains("<option value=\"paid\" selected>"));
        let any = statuses(None).to_string();
        assert!(any.contains("<option value=\"\" selected>any status<"));
    }
}
