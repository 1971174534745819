//! Accounts: roles, addresses, names, passwords.

mod email;
mod password;

pub use email::Email;
pub use password::{NewPassword, Password};

use password::{PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

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

/// Why an account cannot be made, changed or entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The address is not one.
    #[error("must be an e-mail address")]
    Email,
    /// The address is made to look like another one.
    #[error("mixes letters that look alike")]
    EmailLooksLikeAnother,
    /// The name is empty, too long or not printable.
    #[error("must be 1 to 100 characters, none of them a control character")]
    Name,
    /// The password is too easily tried.
    #[error("must be at least {PASSWORD_CHARACTERS_MIN} characters long")]
    PasswordTooShort,
    /// The password is longer than anybody types.
    #[error("must be at most {PASSWORD_CHARACTERS_MAX} characters long")]
    PasswordTooLong,
    /// The password is among those that are tried first.
    #[error("is too easy to guess")]
    PasswordTooCommon,
    /// The password gives itself away with the address.
    #[error("must not contain the e-mail address or the part before its @")]
    PasswordContainsAddress,
    /// The address and password, or the refresh token, open nothing.
    #[error("the credentials are not valid")]
    Credentials,
    /// The mailed token is unknown, used or too old.
    #[error("is not valid any more")]
    MailToken,
    /// What was given can be no code.
    #[error("must be the six digits that are shown, or a recovery code")]
    Code,
    /// There is no second factor, or none that waits for its first code.
    #[error("There is no second factor to use.")]
    NoSecondFactor,
    /// Somebody must run the shop.
    #[error("This is the last admin.")]
    LastAdmin,
    /// Somebody must answer for what is on sale.
    #[error("Archive your products first.")]
    StillSelling,
}

/// What an account's owner is called: 1 to 100 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        let name: String = text.trim().nfc().collect();
        if !(1..=100).contains(&name.chars().count()) || text.chars().any(char::is_control) {
            return Err(AccountError::Name);
        }
        Ok(Self(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_bounded_and_printable() {
        for good in ["A", " Zoë ", &"ß".repeat(100)] {
            assert!(Name::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "   ", "a\nb", "a\n", "a\u{0}", &"ß".repeat(101)] {
            assert!(Name::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
