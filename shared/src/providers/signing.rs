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
use uuid::{NoContext, Timestamp, Uuid};

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
    /// Until when a second factor that was shown counts, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_up_until: Option<i64>,
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
    /// Until when a second factor that was shown counts.
    pub step_up_until: Option<OffsetDateTime>,
    /// When this was found out, before anything was read. The token is issued as of
    /// then, so that whatever ended the account's sessions meanwhile ends it too.
    pub as_of: OffsetDateTime,
}

impl Claims {
    /// The claims of a token.
    pub fn new(subject: Subject, issuer: &str, audience: &str) -> Self {
        let issued_at = subject.as_of.unix_timestamp();
        let (seconds, nanoseconds) = (issued_at.cast_unsigned(), subject.as_of.nanosecond());
        let id_as_of = Timestamp::from_unix(NoContext, seconds, nanoseconds);
        Self {
            iss: issuer.to_owned(),
            aud: audience.to_owned(),
            sub: subject.user_id,
            role: subject.role,
            wallet_id: subject.wallet_id,
            email_verified: subject.email_verified,
            step_up_until: subject.step_up_until.map(OffsetDateTime::unix_timestamp),
            iat: issued_at,
            nbf: issued_at,
            exp: issued_at + TOKEN_SECONDS,
            jti: Uuid::new_v7(id_as_of),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_tells_the_millisecond_that_it_is_as_of() {
        let as_of = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_123_000_000).unwrap();
        let subject = Subject {
            user_id: Uuid::nil(),
            role: Role::Admin,
            wallet_id: Uuid::nil(),
            email_verified: true,
            step_up_until: None,
            as_of,
        };
        let claims = Claims::new(subject, "shop", "shop");
        assert_eq!(claims.issued_at_ms(), 1_700_000_000_123);
        assert_eq!((claims.iat, claims.exp), (1_700_000_000, 1_700_000_900));
        let json = serde_json::to_value(&claims).unwrap();
        assert!(json.get("step_up_until").is_none());
    }
}
