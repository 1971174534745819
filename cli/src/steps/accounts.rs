//! The sample people of a stack. Their addresses are fixed, their passwords belong to the stack.

use anyhow::Result;
use local::Stack;
use serde::{Deserialize, Serialize};

const FILE: &str = "accounts.json";

/// How one person signs in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// The address.
    pub email: String,
    /// The password.
    pub password: String,
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
    if let Some(known) = read(stack)? {
        return Ok(known);
    }
    let account = |role: &str| Account {
        email: format!("{role}@holdfast.example"),
        password: local::postgres::password(),
    };
    let accounts = Accounts {
        admin: account("admin"),
        seller: account("seller"),
        customer: account("customer"),
    };
    stack.write_json(FILE, &accounts)?;
    Ok(accounts)
}

/// Reads the stack's accounts, if it has been brought up.
///
/// # Errors
/// The file is damaged.
pub(crate) fn read(stack: &Stack) -> Result<Option<Accounts>> {
    stack.read_json(FILE)
}
