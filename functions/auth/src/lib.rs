//! The routes of `auth`: accounts, sessions, the console's sign-in, and the keys that tokens verify
//! with.
#![recursion_limit = "256"]

mod accounts;
mod codes;
mod console;
mod keys;
mod mailed;
mod passwords;
mod registration;
mod roles;
mod sessions;
mod sign_in;
mod sign_out;
mod step_up;
mod totp;
mod verification;

use axum::Router;
use axum::middleware::from_fn;
use shared::http::{self, BASE_PATH};
use shared::state::Auth;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What this function has at hand.
pub type AppState = shared::state::AppState<Auth>;

/// Every route, with its documentation.
pub fn routes() -> OpenApiRouter<AppState> {
    let accounts = OpenApiRouter::new()
        .routes(routes!(registration::register))
        .routes(routes!(sessions::login))
        .routes(routes!(sessions::refresh))
        .routes(routes!(sessions::logout))
        .routes(routes!(sessions::logout_all))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::end_session))
        .routes(routes!(verification::verify_email))
        .routes(routes!(verification::resend_verification))
        .routes(routes!(passwords::forgot_password))
        .routes(routes!(passwords::reset_password))
        .routes(routes!(passwords::change_password))
        .routes(routes!(totp::set_up_totp))
        .routes(routes!(totp::confirm_totp))
        .routes(routes!(step_up::step_up))
        .routes(routes!(
            accounts::get_me,
            accounts::change_me,
            accounts::delete_me
        ))
        .routes(routes!(roles::put_role));
    OpenApiRouter::new()
        .nest(BASE_PATH, accounts)
        .routes(routes!(keys::jwks))
        // Forms, and no part of the contract.
        .merge(OpenApiRouter::from(console::routes()))
}

/// The function's service.
pub fn router(state: AppState) -> Router {
    http::service(routes().split_for_parts().0, state).layer(from_fn(console::never_a_problem))
}
