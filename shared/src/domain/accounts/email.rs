//! E-mail addresses: shown as typed, compared by a key.

use unicode_normalization::UnicodeNormalization;

use super::AccountError;

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
    /// `A@` from `a@`; people do not. What follows a `+`, and dots, count.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// One that was accepted before, whatever rules have come since.
    pub fn stored(typed: String) -> Self {
        let key = typed.to_lowercase().nfc().collect();
        Self { typed, key }
    }

    /// The part before the `@`, without what follows a `+`.
    pub(super) fn mailbox(&self) -> &str {
        let local = self.key.rsplit_once('@').map_or("", |(local, _)| local);
        local.split_once('+').map_or(local, |(mailbox, _)| mailbox)
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
        if is_in_disguise(&typed) || mixes_scripts(local) || domain.split('.').any(mixes_scripts) {
            return Err(AccountError::EmailLooksLikeAnother);
        }
        Ok(Self::stored(typed))
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
    // An address of a machine, such as 127.0.0.1, is no domain.
    let is_number = |label: &str| label.chars().all(|c| c.is_ascii_digit());
    domain.split('.').all(is_label)
        && domain
            .rsplit_once('.')
            .is_some_and(|(_, last)| !is_number(last))
}

/// Whether some letter is another one's form for compatibility, such as a
/// full-width `ａ`: two texts that nobody tells apart.
fn is_in_disguise(typed: &str) -> bool {
    !typed.nfkc().eq(typed.chars())
}

/// Alphabets with letters that look like each other's.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
}

impl Script {
    /// The alphabet of a letter; none for a letter of any other, which is like none of these.
    const fn of(c: char) -> Option<Self> {
        match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => {
                Some(Self::Latin)
            }
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(Self::Greek),
            '\u{400}'..='\u{52f}' | '\u{1c80}'..='\u{1c8f}' | '\u{a640}'..='\u{a69f}' => {
                Some(Self::Cyrillic)
            }
            '\u{530}'..='\u{58f}' => Some(Self::Armenian),
            _ => None,
        }
    }
}

/// Whether letters of two such alphabets stand together, as in `pаypal` with a
/// Cyrillic `а`. Nobody's own name is written so.
fn mixes_scripts(text: &str) -> bool {
    let mut scripts = text.chars().filter_map(Script::of);
    scripts
        .next()
        .is_some_and(|first| scripts.any(|script| script != first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        Email::try_from(text.to_owned()).unwrap()
    }

    fn refusal(text: &str) -> Option<AccountError> {
        Email::try_from(text.to_owned()).err()
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
            "a@127.0.0.1",
            "a@x.example\nbcc: b@x.example",
            "<a@x.example>",
            "a@b@x.example",
            "a\u{200d}b@x.example",
            &long,
        ] {
            assert_eq!(refusal(bad), Some(AccountError::Email), "{bad}");
        }
    }

    #[test]
    fn address_that_looks_like_another_is_refused() {
        for bad in [
            "\u{430}da@example.com",
            "ada@ex\u{430}mple.com",
            "\u{3bf}scar@example.com",
            "\u{ff41}da@example.com",
            "ada@\u{1d5be}xample.com",
            "o\u{17f}car@example.com",
        ] {
            let refused = Some(AccountError::EmailLooksLikeAnother);
            assert_eq!(refusal(bad), refused, "{bad}");
        }
    }

    #[test]
    fn address_may_be_of_any_one_alphabet() {
        for good in [
            "zoë.ångström@bücher.example",
            "пётр@пример.example",
            "петр@example.com",
            "σοφία42@example.com",
            "佐藤taro@example.jp",
            "o'brien+shop@example.com",
        ] {
            assert_eq!(refusal(good), None, "{good}");
        }
    }

    #[test]
    fn sub_address_and_dots_make_another_address() {
        let keys = ["ada@x.example", "ada+shop@x.example", "a.da@x.example"].map(email);
        assert!(keys[0] != keys[1] && keys[0] != keys[2]);
        assert_eq!(keys[1].mailbox(), "ada");
    }
}
