//! One order: what it is, and all that happened to it.

use askama::Template;
use axum::extract::State;
use shared::domain::money::Money;
use shared::http::{ApiError, Path};
use shared::store::order_trail::{self, Trail};
use uuid::Uuid;

use super::labels::Label;
use super::{Answer, Operator, Shell, Tab, shell, words};
use crate::AppState;

#[derive(Template)]
#[template(path = "console/order.html")]
struct Page {
    shell: Shell,
    trail: Trail,
}

impl Page {
    // Templates pass references.
    fn money(&self, minor: &i64) -> Money {
        Money::new(*minor, self.trail.facts.currency)
    }
}

/// Shows one.
pub(crate) async fn show_one(
    State(state): State<AppState>,
    operator: Operator,
    Path(id): Path<Uuid>,
) -> Answer {
    let read = state.database.read_own(|pool| async move {
        let mut connection = pool.acquire().await?;
        order_trail::load(&mut connection, id).await
    });
    let trail = read.await?.ok_or_else(ApiError::not_found)?;
    let shell = Shell::new(&operator, Tab::Orders, "Order");
    shell::page(&Page { shell, trail })
}
