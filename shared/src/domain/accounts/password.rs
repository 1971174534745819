//! Passwords: as given, and good enough to be kept.

use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::{AccountError, Email};

pub(super) const PASSWORD_CHARACTERS_MIN: usize = 8;
pub(super) const PASSWORD_CHARACTERS_MAX: usize = 128;

/// What zxcvbn would let through, one per line, in lower case: what is tried first in
/// other languages than English, and this shop's own name. The long list is the one
/// inside of zxcvbn: 30,000 passwords out of breaches, of which each that is long
/// enough is refused, with names, words, dates and walks over a keyboard, and what
/// people make of these with capitals and numbers.
const COMMON_PASSWORDS: &str = include_str!("common_passwords.txt");

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

/// A mailbox of one or two letters is in nearly every password by chance.
fn contains_address(lower: &str, email: &Email) -> bool {
    let mailbox = email.mailbox();
    lower.contains(email.key()) || (mailbox.chars().count() > 2 && lower.contains(mailbox))
}

fn is_common(lower: &str, text: &str, email: &Email) -> bool {
    let listed = COMMON_PASSWORDS.lines().any(|common| common == lower);
    // Below two, a million guesses are enough.
    listed || zxcvbn::zxcvbn(text, &[email.key(), email.mailbox()]).score() < zxcvbn::Score::Two
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(text: &str, address: &str) -> Result<(), AccountError> {
        let email = Email::try_from(address.to_owned()).unwrap();
        NewPassword::choose(text.to_owned().into(), &email).map(drop)
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
            for address in ["lovelace@example.com", "Lovelace+shop@example.com"] {
                assert_eq!(choose(password, address), Err(reason), "{password}");
            }
        }
    }

    #[test]
    fn breached_password_is_refused_in_its_disguises_too() {
        for password in [
            "trustno1",
            "Trustno1!",
            "P@ssw0rd1",
            "drowssap",
            "zaq12wsx",
            "01012000",
            "monkey12",
            "Iloveyou2",
            "Holdfast1",
        ] {
            let refused = Err(AccountError::PasswordTooCommon);
            assert_eq!(choose(password, "ab@example.com"), refused, "{password}");
        }
    }

    #[test]
    fn good_password_may_be_of_any_script() {
        let letter = |i: u32| char::from_u32(0x430 + i * 7 % 32).unwrap();
        let longest: String = (0..128).map(letter).collect();
        for good in [
            "correct horse battery",
            "пчела-ракета-42",
            "tr0mbone&Kelp",
            &longest,
        ] {
            assert_eq!(choose(good, "ab@example.com"), Ok(()), "{good}");
        }
    }

    #[test]
    fn every_listed_password_is_one_that_the_long_list_lacks() {
        for password in COMMON_PASSWORDS.lines() {
            assert_eq!(password, password.to_lowercase());
            assert!(
                password.chars().count() >= PASSWORD_CHARACTERS_MIN,
                "{password}"
            );
            let score = zxcvbn::zxcvbn(password, &[]).score();
            assert!(score >= zxcvbn::Score::Two, "{password} need not be listed");
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
