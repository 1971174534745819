//! The routes of `checkout`: carts, orders, payments, rates.
#![recursion_limit = "256"]

mod accept;
mod body;
mod cart_lines;
mod carts;
mod fulfilments;
mod orders;
mod pay;
mod payment_methods;
mod place;
mod rates;
mod refunds;
mod waiting;
mod wallet;
mod webhooks;

use axum::Router;
use shared::http::{self, BASE_PATH};
use shared::state::Checkout;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Checkout>;

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<AppState> {
    let routes = OpenApiRouter::new()
        .routes(routes!(carts::post_cart))
        .routes(routes!(carts::get_cart, carts::delete_cart))
        .routes(routes!(cart_lines::put_line, cart_lines::delete_line))
        .routes(routes!(carts::post_merge))
        .routes(routes!(place::post_checkout))
        .routes(routes!(orders::get_orders))
        .routes(routes!(orders::get_order))
        .routes(routes!(orders::post_cancel))
        .routes(routes!(pay::post_pay))
        .routes(routes!(refunds::post_refund))
        .routes(routes!(fulfilments::post_fulfilment))
        .routes(routes!(fulfilments::post_delivered))
        .routes(routes!(
            rates::get_shipping_rates,
            rates::put_shipping_rates
        ))
        .routes(routes!(rates::get_tax_rates, rates::put_tax_rates))
        .routes(routes!(
            payment_methods::get_payment_methods,
            payment_methods::post_payment_method
        ))
        .routes(routes!(payment_methods::delete_payment_method))
        .routes(routes!(wallet::get_wallet))
        .routes(routes!(wallet::post_credit));
    let webhooks = OpenApiRouter::new()
        .routes(routes!(webhooks::post_stripe))
        .layer(webhooks::body_limit());
    OpenApiRouter::new().nest(BASE_PATH, routes.merge(webhooks))
}

/// The function's service.
pub fn router(state: AppState) -> Router {
    http::service(routes().split_for_parts().0, state)
}
