//! The routes of `products`.
#![recursion_limit = "256"]

pub mod activity;
pub mod bodies;
pub mod categories;
pub mod complete_image;
pub mod images;
pub mod listing;
pub mod ownership;
pub mod products;
pub mod stock;
pub mod trending;
pub mod views;

use axum::Router;
use shared::http;
use shared::state::Products;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Products>;

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<AppState> {
    let routes = OpenApiRouter::new()
        .routes(routes!(listing::list_products, products::post_product))
        .routes(routes!(
            products::get_product,
            products::patch_product,
            products::delete_product
        ))
        .routes(routes!(trending::get_trending))
        .routes(routes!(trending::get_recommendations))
        .routes(routes!(activity::post_events))
        .routes(routes!(images::post_image))
        .routes(routes!(images::post_image_complete))
        .routes(routes!(stock::post_stock_adjustment))
        .routes(routes!(
            categories::list_categories,
            categories::post_category
        ))
        .routes(routes!(categories::patch_category));
    OpenApiRouter::new().nest(http::BASE_PATH, routes)
}

/// The function's service.
pub fn router(state: AppState) -> Router {
    http::service(routes().split_for_parts().0, state)
}
