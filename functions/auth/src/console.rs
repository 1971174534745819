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
use http::request::Parts;
use http::{HeaderMap, Method};
use serde::Deserialize;
use shared::domain::accounts::{Email, Password};
use shared::domain::sessions::RefreshToken;
use shared::http::{
    Admin, ApiError, BASE_PATH, CONSOLE_SIGN_IN_PATH, ClientNetwork, Kind, Query, console_session,
    console_user, forget_console, forget_console_session, keep_console_session, keep_console_token,
    own_pages_only,
};

use crate::AppState;
use crate::sign_in::{self, Refreshed, SignedIn};
use crate::step_up;
use onwards::{Onwards, Problem, SetCookie};

/// What a browser says of a request that no other site has caused.
const OWN_SITES: [&str; 2] = ["same-origin", "none"];

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
    let path = request.uri().path();
    let Some(form) = path
        .strip_prefix(&forms_path())
        .filter(|rest| is_below(rest))
    else {
        return next.run(request).await;
    };
    let wanted = onwards::wanted(request.uri().query().unwrap_or_default());
    // Whatever went wrong: nobody is left signed in who sees a page that asks to sign in. Only by
    // the word of a browser, because limits and deadlines come before forms of other sites are refused.
    let is_leaving = form == "/sign-out"
        && request.method() == Method::POST
        && site_of(request.headers()) == Some("same-origin");
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        response
    } else if is_leaving {
        onwards::signed_out_instead_of(response)
    } else {
        onwards::instead_of(response, &wanted)
    }
}

/// Whether a path goes on with a whole part, and not in the midst of a word.
fn is_below(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Where a browser says that a request was caused, which no page can change.
fn site_of(headers: &HeaderMap) -> Option<&str> {
    headers.get("sec-fetch-site")?.to_str().ok()
}

async fn post_sign_in(
    State(state): State<AppState>,
    ClientNetwork(from): ClientNetwork,
    headers: HeaderMap,
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
        Ok(signed_in) => cookies_of(&state, signed_in, code.trim(), presented(&headers)).await,
        Err(error) => Err(Problem::of(&error, Problem::Credentials)),
    };
    match cookies {
        Ok(cookies) => Onwards::to_page(&to).with(cookies),
        Err(problem) => Onwards::to_sign_in(Some(problem.logged()), &to),
    }
}

/// What the browser of an admin keeps. Of anybody else, and after a wrong code, nothing is left.
async fn cookies_of(
    state: &AppState,
    signed_in: SignedIn,
    code: &str,
    before: Option<RefreshToken>,
) -> Result<Vec<SetCookie>, Problem> {
    match let_in(state, &signed_in, code).await {
        Ok(token) => {
            let mut cookies = vec![keep_console_token(&token, signed_in.expires_in)];
            cookies.extend(session_after(state, &signed_in, before).await);
            Ok(cookies)
        }
        Err(problem) => {
            // What cannot be ended now ends by itself: nobody was given its refresh token.
            let _ = end(state, signed_in.refresh_token.as_deref().and_then(parsed)).await;
            Err(problem)
        }
    }
}

/// The session in place of the one `before`, which ends. While their store is away there is no new
/// one, and an old one is kept of the same account only: of another, the next renewal would make the
/// browser that one's.
async fn session_after(
    state: &AppState,
    signed_in: &SignedIn,
    before: Option<RefreshToken>,
) -> Option<SetCookie> {
    if let Some((token, seconds)) = signed_in.session() {
        if let Err(error) = end(state, before).await {
            error.log();
        }
        return Some(keep_console_session(token, seconds));
    }
    let is_theirs = before.is_some_and(|before| before.user_id == signed_in.user_id());
    (!is_theirs).then(forget_console_session)
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
/// A GET, because the page that found its token too old can only send the browser on. It spends the
/// refresh token, which a repeat within the grace of refresh tokens may, as when two pages are opened
/// at once, and forgets the second factor. So another site can cause it only while there is no good
/// token, when nothing is lost by it.
async fn get_renewed(
    State(state): State<AppState>,
    parts: Parts,
    Query(Return { to }): Query<Return>,
) -> Onwards {
    if is_needless(&state, &parts).await {
        return Onwards::to_page(&to);
    }
    let Some(presented) = presented(&parts.headers) else {
        return Onwards::to_sign_in(None, &to).with(forget_console());
    };
    match sign_in::refresh(&state, &presented).await {
        Ok((pair, _)) => renewed(&state, &pair, &to).await,
        Err(error) if error.kind() == Kind::InvalidCredentials => {
            let _ = Problem::Credentials.logged();
            Onwards::to_sign_in(None, &to).with(forget_console())
        }
        // The session may be good: it is kept for when it can be looked up again.
        Err(error) => {
            let problem = Problem::of(&error, Problem::Failed).logged();
            Onwards::to_sign_in(Some(problem), &to)
        }
    }
}

/// Whether another site has sent a browser here whose token is good. From this origin it never is:
/// a page may know already that the token is over, and would send the browser here again.
async fn is_needless(state: &AppState, parts: &Parts) -> bool {
    let is_foreign = site_of(&parts.headers).is_some_and(|site| !OWN_SITES.contains(&site));
    is_foreign && matches!(console_user(parts, state.as_ref()).await, Ok(Some(_)))
}

/// The cookies of an admin's new pair. Anybody else's session was not given out here, and ends: nobody
/// gets its next token.
async fn renewed(state: &AppState, pair: &Refreshed, to: &str) -> Onwards {
    if !pair.is_admin() {
        let _ = end(state, parsed(&pair.refresh_token)).await;
        let problem = Problem::NotAdmin.logged();
        return Onwards::to_sign_in(Some(problem), to).with(forget_console());
    }
    Onwards::to_page(to).with([
        keep_console_token(&pair.access_token, pair.expires_in),
        keep_console_session(&pair.refresh_token, pair.refresh_expires_in),
    ])
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
            return Onwards::to_sign_in(Some(Problem::NotAdmin.logged()), &form.to);
        }
        Err(error) => Some(Problem::of(&error, Problem::Code).logged()),
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
    let problem = match end(&state, presented(&headers)).await {
        Ok(()) => Problem::SignedOut,
        Err(error) => {
            error.log();
            Problem::SignedOutHere
        }
    };
    Onwards::to_sign_in(Some(problem), "").with(forget_console())
}

/// Ends the session of a refresh token, if there is one.
async fn end(state: &AppState, token: Option<RefreshToken>) -> Result<(), ApiError> {
    if let Some(token) = token {
        state.sessions.end(token.user_id, token.family_id).await?;
    }
    Ok(())
}

fn presented(headers: &HeaderMap) -> Option<RefreshToken> {
    parsed(&console_session(headers)?)
}

fn parsed(token: &str) -> Option<RefreshToken> {
    RefreshToken::try_from(token).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_end_at_a_whole_part_of_the_path() {
        for (rest, is_form) in [("", true), ("/sign-in", true), ("xyz", false)] {
            assert_eq!(is_below(rest), is_form, "{rest}");
        }
    }
}
