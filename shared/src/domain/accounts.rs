//! Accounts: roles, addresses, passwords.

use serde::{Deserialize, Serialize};

/// What an account may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Buys.
    Customer,
    /// Sells their own products.
    Seller,
    /// Runs the shop.
    Admin,
}
