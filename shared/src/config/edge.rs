//! What every function with HTTP is told: whose tokens it takes, which origins may call, and how
//! much one caller may do.

use super::Reader;
use crate::domain::limits::Allowance;

/// What every function with HTTP is told.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// The name of the secret with the public half of the signing keys.
    pub jwt_public: String,
    /// The `iss` of access tokens.
    pub token_issuer: String,
    /// The `aud` of access tokens.
    pub token_audience: String,
    /// The table of sessions.
    pub sessions_table: String,
    /// The table of rate limits.
    pub limits_table: String,
    /// How much of what one caller may do.
    pub allowance: Allowance,
    /// Origins that browsers may call from; `*` for any.
    pub cors_allowed_origins: Vec<String>,
}

/// What the API promises, per minute.
const PROMISED: Allowance = Allowance {
    per_user: 100,
    per_address: 20,
};

/// In production a limit may be this many times what is promised. More is a local stack's, where
/// one machine plays many customers.
const TIMES_PROMISED_MAX: u32 = 10;

impl EdgeConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            jwt_public: reader.secret_id("JWT_PUBLIC_SECRET_ID", "jwt-public"),
            token_issuer: reader.url("TOKEN_ISSUER"),
            token_audience: reader.text("TOKEN_AUDIENCE"),
            sessions_table: reader.text("SESSIONS_TABLE"),
            limits_table: reader.text("LIMITS_TABLE"),
            allowance: Allowance {
                per_user: limit(reader, "LIMIT_PER_USER", PROMISED.per_user),
                per_address: limit(reader, "LIMIT_PER_ADDRESS", PROMISED.per_address),
            },
            cors_allowed_origins: origins(reader),
        }
    }
}

fn limit(reader: &mut Reader, name: &str, promised: u32) -> u32 {
    let limit = reader.positive(name, promised);
    let most = promised * TIMES_PROMISED_MAX;
    if reader.is_production() && limit > most {
        reader.fault(
            name,
            format_args!("must be at most {most} in production, not a local stack's {limit}"),
        );
    }
    limit
}

fn origins(reader: &mut Reader) -> Vec<String> {
    const NAME: &str = "CORS_ALLOWED_ORIGINS";
    let origins = reader.list(NAME);
    if origins.is_empty() && reader.is_production() && reader.given(NAME).is_none() {
        reader.fault(NAME, "is missing: list the origins whose pages may call");
    }
    let any = origins.iter().any(|origin| origin == "*");
    if any && reader.is_production() {
        reader.fault(NAME, "must not have * in production: list the origins");
    }
    if any && origins.len() > 1 {
        reader.fault(NAME, "has * and others beside it, which contradict it");
    }
    for origin in origins.iter().filter(|origin| *origin != "*") {
        reader.check_url(NAME, origin);
        // A browser sends no path, so an origin with one would never be the same.
        if origin.matches('/').count() > 2 {
            reader.fault(
                NAME,
                format_args!("has {origin:?}, but an origin ends after its host or port"),
            );
        }
    }
    origins
}
