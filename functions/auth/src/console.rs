//! Signing in to the console of `ops`, by forms.
//!
//! No part of the contract, so plain routes: only the console's own pages send these forms, and what
//! they do the contract's routes do as well, by the same functions. They answer with cookies and the
//! way to a page, and never with anything to read: what went wrong is a word in the address of the
//! page that says it in a sentence (`session.rs` of `ops`). No address holds a secret.
//!
//! Only an admin gets cookies. They authenticate nothing but the console, see `http/console.rs`.

mod onwards;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use http::HeaderMap;
use http::request::Parts;
use serde::Deserialize;
use shared::domain::accounts::{Email, Password};
use shared::domain::sessions::RefreshToken;
use shared::http::{
    Admin, ApiError, BASE_PATH, CONSOLE_SIGN_IN_PATH, ClientNetwork, Kind, Query, console_session,
    console_user, forget_console, keep_console_session, keep_console_token, own_pages_only,
};

use crate::AppState;
use crate::sign_in::{self, SignedIn};
use crate::step_up;
use onwards::{Onwards, Problem, SetCookie};

/// Who signs in. Nothing of it is kept or logged.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    email: String,
    password: String,
    /// Blank: without a second factor.
    #[serde(default)]
    code: String,
    /// The page to go on to.
    #[serde(default)]
    to: String,
}

/// Who shows a second factor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepUp {
    code: String,
    #[serde(default)]
    to: String,
}

/// Where to go on.
#[derive(Deserialize)]
struct Return {
    #[serde(default)]
    to: String,
}

/// Every form. Each is taken from the console's own pages only, the sign-in too: nobody is signed in
/// as somebody else without noticing.
pub(crate) fn routes() -> Router<AppState> {
    let forms = Router::new()
        .route("/sign-in", post(post_sign_in))
        .route("/renew", get(get_renewed))
        .route("/step-up", post(post_step_up))
        .route("/sign-out", post(post_sign_out))
        .layer(own_pages_only());
    Router::new().nest(&forms_path(), forms)
}

fn forms_path() -> String {
    format!("{BASE_PATH}{CONSOLE_SIGN_IN_PATH}")
}

/// Sends whoever would be shown a problem of one of these routes, JSON, to a page that says it.
/// Outside of every other layer, because limits, deadlines and panics are answered out there.
pub(crate) async fn never_a_problem(request: Request, next: Next) -> Response {
    let is_form = request.uri().path().starts_with(&forms_path());
    let response = next.run(request).await;
    let status = response.status();
    if is_form && (status.is_client_error() || status.is_server_error()) {
        onwards::instead_of(response)
    } else {
        response
    }
}

async fn post_sign_in(
    State(state): State<AppState>,
    ClientNetwork(from): ClientNetwork,
    Form(form): Form<SignIn>,
) -> Onwards {
    let SignIn {
        email,
        password,
        code,
        to,
    } = form;
    let by_password = async {
        let (email, password) = (Email::try_from(email)?, Password::from(password));
        sign_in::sign_in(&state, &email, password, from).await
    };
    let cookies = match by_password.await {
        Ok(signed_in) => cookies_of(&state, signed_in, code.trim()).await,
        Err(error) => Err(Problem::of(&error, Problem::Credentials)),
    };
    match cookies {
        Ok(cookies) => Onwards::to_page(&to).with(cookies),
        Err(problem) => Onwards::to_sign_in(Some(problem), &to),
    }
}

/// What the browser of an admin keeps. Of anybody else, and after a wrong code, nothing is left.
async fn cookies_of(
    state: &AppState,
    signed_in: SignedIn,
    code: &str,
) -> Result<Vec<SetCookie>, Problem> {
    match let_in(state, &signed_in, code).await {
        Ok(token) => {
            let mut cookies = vec![keep_console_token(&token, signed_in.expires_in)];
            let session = signed_in.session();
            cookies.extend(session.map(|(token, seconds)| keep_console_session(token, seconds)));
            Ok(cookies)
        }
        Err(problem) => {
            // What cannot be ended now ends by itself: nobody was given its refresh token.
            let _ = end(state, signed_in.refresh_token.as_deref()).await;
            Err(problem)
        }
    }
}

/// The access token of an admin; of after the second factor, if a code was given. One that was given
/// must be good.
async fn let_in(state: &AppState, signed_in: &SignedIn, code: &str) -> Result<String, Problem> {
    if !signed_in.is_admin() {
        return Err(Problem::NotAdmin);
    }
    if code.is_empty() {
        return Ok(signed_in.access_token.clone());
    }
    let shown = step_up::show(state, signed_in.user_id(), code).await;
    shown
        .map(|token| token.access_token)
        .map_err(|error| Problem::of(&error, Problem::Code))
}

/// A new pair of tokens for the cookies of a session.
///
/// A GET, because the page that found its token too old can only send the browser on. It may be one:
/// it changes nothing but the browser's own cookies, and a repeat within the grace of refresh tokens
/// comes to the same, as when two pages are opened at once.
async fn get_renewed(
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(Return { to }): Query<Return>,
) -> Onwards {
    let Some(presented) = presented(&headers) else {
        return Onwards::to_sign_in(None, &to).with(forget_console());
    };
    match sign_in::refresh(&state, &presented).await {
        Ok((pair, _)) => Onwards::to_page(&to)
            .with([keep_console_token(&pair.access_token, pair.expires_in)])
            .with([keep_console_session(
                &pair.refresh_token,
                pair.refresh_expires_in,
            )]),
        Err(error) if error.kind() == Kind::InvalidCredentials => {
            Onwards::to_sign_in(None, &to).with(forget_console())
        }
        // The session may be good: it is kept for when it can be looked up again.
        Err(error) => Onwards::to_sign_in(Some(Problem::of(&error, Problem::Failed)), &to),
    }
}

async fn post_step_up(
    State(state): State<AppState>,
    parts: Parts,
    Form(form): Form<StepUp>,
) -> Onwards {
    let problem = match shown(&state, &parts, form.code.trim()).await {
        Ok(Some(cookie)) => return Onwards::to_page(&form.to).with([cookie]),
        // The page itself finds out whether the session can be renewed, and comes back.
        Ok(None) => None,
        Err(error) if error.kind() == Kind::Forbidden => {
            return Onwards::to_sign_in(Some(Problem::NotAdmin), &form.to);
        }
        Err(error) => Some(Problem::of(&error, Problem::Code)),
    };
    Onwards::to_step_up(problem, &form.to)
}

/// The cookie of after the second factor; none without a good one of before it.
async fn shown(state: &AppState, parts: &Parts, code: &str) -> Result<Option<SetCookie>, ApiError> {
    let Some(user) = console_user(parts, state.as_ref()).await? else {
        return Ok(None);
    };
    let Admin(user) = Admin::try_from(user)?;
    let token = step_up::show(state, user.id(), code).await?;
    Ok(Some(keep_console_token(
        &token.access_token,
        token.expires_in,
    )))
}

/// Ends the session and has the browser forget it, also when its access token is too old by now.
/// An access token that somebody copied is good until it expires, minutes later.
async fn post_sign_out(State(state): State<AppState>, headers: HeaderMap) -> Onwards {
    let ended = end(&state, console_session(&headers).as_deref()).await;
    let problem = match ended {
        Ok(()) => Problem::SignedOut,
        Err(error) => {
            error.log();
            Problem::SignedOutHere
        }
    };
    Onwards::to_sign_in(Some(problem), "").with(forget_console())
}

/// Ends the session of a refresh token, if it is one.
async fn end(state: &AppState, token: Option<&str>) -> Result<(), ApiError> {
    let token = token.and_then(|token| RefreshToken::try_from(token).ok());
    if let Some(token) = token {
        state.sessions.end(token.user_id, token.family_id).await?;
    }
    Ok(())
}

fn presented(headers: &HeaderMap) -> Option<RefreshToken> {
    RefreshToken::try_from(console_session(headers)?.as_str()).ok()
}
