//! How the shop does, in a few figures.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::Serialize;
use shared::clock;
use shared::domain::money::{Currency, Money};
use shared::http::{Admin, ApiError, LastGoodRead, Problem, Representation};
use shared::store::activities::{self, Figures};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::AppState;

/// Minutes of the hour that orders are counted in.
const MINUTES: f64 = 60.0;

/// How the shop does. Orders that came to nothing do not count.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Summary {
    /// Over the last hour.
    #[schema(example = 0.4)]
    orders_per_minute: f64,
    /// What orders of the last hour brought, less what was paid back.
    revenue_per_hour: Money,
    /// Orders of the last 24 hours for each visitor, 1 at most; null without visitors.
    #[schema(example = 0.031)]
    conversion: Option<f64>,
    /// Visitors of the last 24 hours with a cart who did not order, among all with a cart; null without any.
    #[schema(example = 0.68)]
    cart_abandonment: Option<f64>,
    /// What these are made of: orders of the last 24 hours,
    #[schema(example = 124)]
    orders: i64,
    /// visitors that browsers reported,
    #[schema(example = 4000)]
    visitors: i64,
    /// and of these who put something into a cart.
    #[schema(example = 388)]
    carts: i64,
    /// Whether visitors are estimated, because under pressure not all were counted.
    sampled: bool,
    /// Of which moment this is.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl Summary {
    fn of(figures: Figures, currency: Currency, at: OffsetDateTime) -> Self {
        let orders = figures.orders_last_day;
        Self {
            orders_per_minute: figures.orders_last_hour as f64 / MINUTES,
            revenue_per_hour: Money::new(figures.revenue_last_hour_minor, currency),
            conversion: share(orders, figures.visitors_last_day),
            cart_abandonment: share(orders, figures.carts_last_day).map(|ordered| 1.0 - ordered),
            orders,
            visitors: figures.visitors_last_day,
            carts: figures.carts_last_day,
            sampled: figures.is_sampled,
            at,
        }
    }
}

/// At most 1: who orders need not have been reported.
fn share(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| (part as f64 / whole as f64).min(1.0))
}

/// Shows how the shop does
///
/// At most 30 seconds old. `X-Degraded: database`: it is from a replica, or older.
#[utoipa::path(
    get, path = "/admin/analytics/summary", tag = "operations", security(("bearer" = [])),
    responses(
        (status = 200, description = "The figures", body = Summary,
            headers(("ETag"), ("Age"), ("X-Cache" = String, description = "HIT, MISS or STALE"))),
        (status = 304, description = "It is still as `If-None-Match` says"),
        (status = 403, description = "Not an admin", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away and nothing is kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get_summary(
    State(state): State<AppState>,
    _: Admin,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let read = async || {
        let at = clock::now();
        let figures = |pool| async move { activities::figures(&pool).await };
        let figures = state.database.read_own(figures).await?;
        Representation::of(&Summary::of(figures, state.currency, at))
    };
    // Figures are of this moment: what is kept elsewhere would be of another.
    let last_good = async || {
        Err::<LastGoodRead, _>(ApiError::unavailable(
            "the figures are in the database only",
        ))
    };
    let key = "summary".to_owned();
    let mut response = state.reads.answer(key, &headers, read, last_good).await?;
    // Shared by the admins, and nobody else's.
    let private = HeaderValue::from_static("private, no-store");
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, private);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(figures: Figures) -> Summary {
        Summary::of(figures, Currency::EUR, OffsetDateTime::UNIX_EPOCH)
    }

    const QUIET: Figures = Figures {
        orders_last_hour: 0,
        revenue_last_hour_minor: 0,
        orders_last_day: 0,
        visitors_last_day: 0,
        carts_last_day: 0,
        is_sampled: false,
    };

    #[test]
    fn figures_are_shares_of_what_was_reported() {
        let shown = summary(Figures {
            orders_last_hour: 30,
            revenue_last_hour_minor: 12_345,
            orders_last_day: 25,
            visitors_last_day: 1_000,
            carts_last_day: 100,
            is_sampled: true,
        });
        assert_eq!(shown.orders_per_minute, 0.5);
        assert_eq!(shown.revenue_per_hour, Money::new(12_345, Currency::EUR));
        assert_eq!(
            (shown.conversion, shown.cart_abandonment),
            (Some(0.025), Some(0.75))
        );
        assert!(shown.sampled);
    }

    #[test]
    fn without_reports_nothing_is_claimed() {
        let shown = summary(QUIET);
        assert_eq!((shown.conversion, shown.cart_abandonment), (None, None));
        let unreported = Figures {
            orders_last_day: 9,
            visitors_last_day: 3,
            carts_last_day: 3,
            ..QUIET
        };
        let shown = summary(unreported);
        assert_eq!(
            (shown.conversion, shown.cart_abandonment),
            (Some(1.0), Some(0.0))
        );
    }
}
