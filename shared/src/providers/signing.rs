//! Access tokens: JWTs signed with Ed25519, and the rings of keys behind them.

mod first;
mod ring;
mod signer;
mod verifier;

pub use first::FirstSecrets;
pub use ring::{PrivateKey, PublicKey, PublicRing, Retired, Ring};
pub use signer::{SignError, Signer};
pub use verifier::{TokenError, Verifier};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::accounts::Role;

/// How long an access token is valid, in seconds.
pub const TOKEN_SECONDS: i64 = 900;

/// How long a retired key still verifies, in seconds: longer than any token lives.
pub const RETIRED_KEY_SECONDS: i64 = 20 * 60;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// The account.
    pub sub: Uuid,
    /// What the account may do.
    pub role: Role,
    /// The account's wallet.
    pub wallet_id: Uuid,
    /// Whether the account's address was verified.
    pub email_verified: bool,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Valid from.
    pub nbf: i64,
    /// Valid until.
    pub exp: i64,
    /// The token's own id.
    pub jti: Uuid,
}

/// Whom a token is issued for.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// The account.
    pub user_id: Uuid,
    /// What it may do.
    pub role: Role,
    /// Its wallet.
    pub wallet_id: Uuid,
    /// Whether its address was verified.
    pub email_verified: bool,
}

impl Claims {
    /// The claims of a token issued at `now`.
    pub fn new(subject: Subject, issuer: &str, audience: &str, now: OffsetDateTime) -> Self {
        let issued_at = now.unix_timestamp();
        Self {
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            sub: subject.user_id,
            role: subject.role,
            wallet_id: subject.wallet_id,
            email_verified: subject.email_verified,
            iat: issued_at,
            nbf: issued_at,
            exp: issued_at + TOKEN_SECONDS,
            jti: Uuid::now_v7(),
        }
    }

    /// When it was issued, in milliseconds: `iat` counts whole seconds, but the
    /// token's own id tells the millisecond (RFC 9562, version 7).
    pub fn issued_at_ms(&self) -> i64 {
        let millisecond = self.jti.get_timestamp().map(|at| {
            let (seconds, nanoseconds) = at.to_unix();
            seconds.cast_signed() * 1_000 + i64::from(nanoseconds / 1_000_000)
        });
        millisecond.unwrap_or(self.iat * 1_000)
    }
}
