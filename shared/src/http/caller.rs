//! Who calls. An extractor in a handler's signature is the proof that its caller may do this.

use axum::extract::FromRequestParts;
use http::header::AUTHORIZATION;
use http::request::Parts;
use uuid::Uuid;

use super::{ApiError, Kind};
use crate::clock;
use crate::domain::accounts::Role;
use crate::providers::signing::Claims;
use crate::state::{AppState, Edge};

/// Anybody signed in.
#[derive(Debug, Clone)]
pub struct User(pub Claims);

impl User {
    /// The caller's account.
    pub fn id(&self) -> Uuid {
        self.0.sub
    }

    /// Whether the caller may see and do everything.
    pub fn is_admin(&self) -> bool {
        self.0.role == Role::Admin
    }

    /// Whether the caller showed a second factor lately.
    pub fn has_stepped_up(&self) -> bool {
        let until = self.0.step_up_until;
        until.is_some_and(|until| clock::now().unix_timestamp() < until)
    }

    /// Whether something that belongs to `owner` is the caller's to see.
    pub fn may_see(&self, owner: Uuid) -> bool {
        self.is_admin() || self.id() == owner
    }
}

/// Someone who sells: a seller, for their own products, or an admin, for all.
#[derive(Debug, Clone)]
pub struct Seller(pub User);

impl Seller {
    /// Whether the caller may change what belongs to `seller`.
    pub fn may_change(&self, seller: Uuid) -> bool {
        self.0.may_see(seller)
    }
}

/// An admin.
#[derive(Debug, Clone)]
pub struct Admin(pub User);

/// An admin who showed a second factor lately: for what moves money, rights or the
/// shop itself. Reads never ask for it.
#[derive(Debug, Clone)]
pub struct SteppedUp(pub Admin);

/// Signed in or not. Credentials that are given must be good.
#[derive(Debug, Clone)]
pub struct Anyone(pub Option<User>);

impl<P: AsRef<Edge> + Send + Sync> FromRequestParts<AppState<P>> for Anyone {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState<P>) -> Result<Self, ApiError> {
        user_of(parts, state.as_ref()).await.map(Self)
    }
}

/// The account whose good token came with a request. The limits, which ask first,
/// leave it in the request's extensions, where no client can put anything.
pub(super) async fn user_of(parts: &Parts, edge: &Edge) -> Result<Option<User>, ApiError> {
    if let Some(user) = parts.extensions.get::<User>() {
        return Ok(Some(user.clone()));
    }
    if !parts.headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    let token = bearer(parts).ok_or_else(|| ApiError::new(Kind::Unauthorized))?;
    verified(edge, token).await.map(Some)
}

/// The account of an access token, if it is good.
pub(super) async fn verified(edge: &Edge, token: &str) -> Result<User, ApiError> {
    let claims = edge.verifier.verify(token).await?;
    if edge.sessions.is_over(&claims).await {
        return Err(ApiError::new(Kind::Unauthorized));
    }
    Ok(User(claims))
}

fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts
        .headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

impl<P: AsRef<Edge> + Send + Sync> FromRequestParts<AppState<P>> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState<P>) -> Result<Self, ApiError> {
        let Anyone(user) = Anyone::from_request_parts(parts, state).await?;
        user.ok_or_else(|| ApiError::new(Kind::Unauthorized))
    }
}

impl<P: AsRef<Edge> + Send + Sync> FromRequestParts<AppState<P>> for Seller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState<P>) -> Result<Self, ApiError> {
        let user = User::from_request_parts(parts, state).await?;
        match user.0.role {
            Role::Seller | Role::Admin => Ok(Self(user)),
            Role::Customer => Err(ApiError::new(Kind::Forbidden)),
        }
    }
}

impl<P: AsRef<Edge> + Send + Sync> FromRequestParts<AppState<P>> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState<P>) -> Result<Self, ApiError> {
        User::from_request_parts(parts, state).await?.try_into()
    }
}

impl<P: AsRef<Edge> + Send + Sync> FromRequestParts<AppState<P>> for SteppedUp {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState<P>) -> Result<Self, ApiError> {
        Admin::from_request_parts(parts, state).await?.try_into()
    }
}

impl TryFrom<User> for Admin {
    type Error = ApiError;

    fn try_from(user: User) -> Result<Self, ApiError> {
        if user.is_admin() {
            Ok(Self(user))
        } else {
            Err(ApiError::new(Kind::Forbidden))
        }
    }
}

impl TryFrom<Admin> for SteppedUp {
    type Error = ApiError;

    fn try_from(admin: Admin) -> Result<Self, ApiError> {
        if admin.0.has_stepped_up() {
            Ok(Self(admin))
        } else {
            Err(ApiError::step_up_required())
        }
    }
}
