//! Accounts: roles, addresses, names, passwords.

use secrecy::{ExposeSecret, SecretString};
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
}

const PASSWORD_CHARACTERS_MIN: usize = 8;
const PASSWORD_CHARACTERS_MAX: usize = 128;

/// Passwords of at least 8 characters that are tried first, one per line, in lower case.
const COMMON_PASSWORDS: &str = include_str!("common_passwords.txt");

/// An e-mail address, shown as typed and compared by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    typed: String,
    key: String,
}

impl Email {
    /// As it was typed, without surrounding blanks.
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// As it is compared: composed (NFC) and lower case. Mail servers may tell
    /// `A@` from `a@`; people do not.
    pub fn key(&self) -> &str {
        &self.key
    }

    fn local_part(&self) -> &str {
        self.key.rsplit_once('@').map_or("", |(local, _)| local)
    }
}

impl TryFrom<String> for Email {
    type Error = AccountError;

    fn try_from(text: String) -> Result<Self, AccountError> {
        let typed: String = text.trim().nfc().collect();
        let (local, domain) = typed.rsplit_once('@').ok_or(AccountError::Email)?;
        if typed.len() > 254 || !is_local_part(local) || !is_domain(domain) {
            return Err(AccountError::Email);
        }
        let key = typed.to_lowercase().nfc().collect();
        Ok(Self { typed, key })
    }
}

/// The unquoted form of RFC 5321; quoted ones are only ever typed by mistake.
fn is_local_part(local: &str) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    (1..=64).contains(&local.len())
        && local.chars().all(allowed)
        && local.split('.').all(|atom| !atom.is_empty())
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
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
        if !(1..=100).contains(&name.chars().count()) || name.chars().any(char::is_control) {
            return Err(AccountError::Name);
        }
        Ok(Self(name))
    }
}

/// A password as somebody gave it, composed (NFC), so that two keyboards give
/// the same. Masked in `Debug`.
#[derive(Debug, Clone)]
pub struct Password(SecretString);

impl Password {
    /// Its bytes, for the hash alone.
    pub fn expose(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text.nfc().collect::<String>().into())
    }
}

/// A password that is good enough to be kept.
#[derive(Debug, Clone)]
pub struct NewPassword(Password);

impl NewPassword {
    /// Takes `password` for the account of `email`.
    ///
    /// # Errors
    /// It is too short, too long, too easy to guess, or gives itself away.
    pub fn choose(password: Password, email: &Email) -> Result<Self, AccountError> {
        let text = password.0.expose_secret();
        let length = text.chars().count();
        let lower = text.to_lowercase();
        if length < PASSWORD_CHARACTERS_MIN {
            return Err(AccountError::PasswordTooShort);
        }
        if length > PASSWORD_CHARACTERS_MAX {
            return Err(AccountError::PasswordTooLong);
        }
        if contains_address(&lower, email) {
            return Err(AccountError::PasswordContainsAddress);
        }
        if is_common(&lower, text, email) {
            return Err(AccountError::PasswordTooCommon);
        }
        Ok(Self(password))
    }

    /// The password.
    pub fn into_password(self) -> Password {
        self.0
    }
}

/// A local part of one or two letters is in nearly every password by chance.
fn contains_address(lower: &str, email: &Email) -> bool {
    let local = email.local_part();
    lower.contains(email.key()) || (local.chars().count() > 2 && lower.contains(local))
}

fn is_common(lower: &str, text: &str, email: &Email) -> bool {
    let listed = COMMON_PASSWORDS.lines().any(|common| common == lower);
    // Below two, a million guesses are enough.
    listed || zxcvbn::zxcvbn(text, &[email.key()]).score() < zxcvbn::Score::Two
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        Email::try_from(text.to_owned()).unwrap()
    }

    fn choose(text: &str, address: &str) -> Result<(), AccountError> {
        NewPassword::choose(text.to_owned().into(), &email(address)).map(drop)
    }

    #[test]
    fn address_is_shown_as_typed_and_compared_in_lower_case() {
        let address = email("  Ada.Lovelace@Example.COM ");
        assert_eq!(address.as_str(), "Ada.Lovelace@Example.COM");
        assert_eq!(address.key(), "ada.lovelace@example.com");
    }

    #[test]
    fn composed_and_decomposed_address_are_the_same() {
        assert_eq!(email("zo\u{e9}@x.example"), email("zoe\u{301}@x.example"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@x.example", "a".repeat(65));
        for bad in [
            "",
            "a",
            "@x.example",
            "a@",
            "a@localhost",
            "a b@x.example",
            "a..b@x.example",
            ".a@x.example",
            "a@x..example",
            "a@-x.example",
            "a@x.example\nbcc: b@x.example",
            "<a@x.example>",
            "a@b@x.example",
            &long,
        ] {
            assert!(Email::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn name_is_bounded_and_printable() {
        for good in ["A", " Zoë ", &"ß".repeat(100)] {
            assert!(Name::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "   ", "a\nb", "a\u{0}", &"ß".repeat(101)] {
            assert!(Name::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn weak_password_is_refused_with_its_reason() {
        let cases = [
            ("Ab3$xyz", AccountError::PasswordTooShort),
            (&"x".repeat(129), AccountError::PasswordTooLong),
            ("password", AccountError::PasswordTooCommon),
            ("Password1", AccountError::PasswordTooCommon),
            ("aaaaaaaaaaaa", AccountError::PasswordTooCommon),
            ("qwertyuiop", AccountError::PasswordTooCommon),
            ("LOVELACE-7xk2", AccountError::PasswordContainsAddress),
        ];
        for (password, reason) in cases {
            let chosen = choose(password, "lovelace@example.com");
            assert_eq!(chosen, Err(reason), "{password}");
        }
    }

    #[test]
    fn good_password_may_be_of_any_script() {
        for good in ["correct horse battery", "пчела-ракета-42", "tr0mbone&Kelp"] {
            assert_eq!(choose(good, "ab@example.com"), Ok(()), "{good}");
        }
    }

    #[test]
    fn password_is_composed_and_not_shown() {
        let composed = Password::from("caf\u{e9} au lait".to_owned());
        let decomposed = Password::from("cafe\u{301} au lait".to_owned());
        assert_eq!(composed.expose(), decomposed.expose());
        assert!(!format!("{composed:?}").contains("lait"));
    }
}
