//! The sample people of a stack. Their addresses are fixed, their passwords belong to the stack.

use anyhow::{Context, Result};
use local::Stack;
use serde::{Deserialize, Serialize};
use shared::domain::totp::TotpSecret;
use time::{Duration, OffsetDateTime};

const FILE: &str = "accounts.json";

/// How one person signs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
    /// What codes are made of, for whoever has a second factor: base32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totp_secret: Option<String>,
}

impl Account {
    /// The code that this person's device shows at this moment, the next one and the
    /// one before: the shop takes each of them once.
    ///
    /// # Errors
    /// There is no second factor, or it is damaged.
    pub(crate) fn codes(&self) -> Result<[String; 3]> {
        let secret = self.totp_secret.as_deref();
        let secret = secret.context("This account has no second factor.")?;
        let secret = TotpSecret::from_text(secret).context("The second factor is damaged.")?;
        let now = OffsetDateTime::now_utc();
        Ok([0, 30, -30].map(|seconds| secret.code(now + Duration::seconds(seconds))))
    }
}

/// One person per role.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Accounts {
    /// May do everything.
    pub admin: Account,
    /// Owns the sample catalogue.
    pub seller: Account,
    /// Buys.
    pub customer: Account,
}

/// Reads the stack's accounts, or chooses them.
///
/// # Errors
/// The file is damaged or cannot be written.
pub(crate) fn of(stack: &Stack) -> Result<Accounts> {
    let known = read(stack)?;
    if let Some(known) = known
        .clone()
        .filter(|known| known.admin.totp_secret.is_some())
    {
        return Ok(known);
    }
    let account = |role: &str| Account {
        email: format!("{role}@holdfast.example"),
        password: local::postgres::password(),
        totp_secret: None,
    };
    let mut accounts = known.unwrap_or_else(|| Accounts {
        admin: account("admin"),
        seller: account("seller"),
        customer: account("customer"),
    });
    accounts.admin.totp_secret = Some(TotpSecret::generate()?.to_text());
    stack.write_json(FILE, &accounts)?;
    Ok(accounts)
}

/// Reads the accounts of a stack that has been brought up.
///
/// # Errors
/// It never was, or the file is damaged.
pub(crate) fn made(stack: &Stack) -> Result<Accounts> {
    read(stack)?.context("This stack has no accounts yet. Start it: cargo holdfast up")
}

/// Reads the stack's accounts, if it has been brought up.
///
/// # Errors
/// The file is damaged.
pub(crate) fn read(stack: &Stack) -> Result<Option<Accounts>> {
    stack.read_json(FILE)
}
