//! Form-encoded parameters with nested keys (`a[b]=c`, `a[]=c`), kept flat under their full names.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::errors::ApiError;

/// The parameters of one request; what is read is taken out, so that what is left is unknown.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    left: BTreeMap<String, String>,
}

impl Params {
    /// Parses a body or a query string; of a name given twice the last one counts.
    pub(super) fn parse(encoded: &[u8]) -> Self {
        let mut left = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(encoded) {
            let name = match name.strip_suffix("[]") {
                Some(list) => format!("{list}[{}]", next_index(&left, list)),
                None => name.into_owned(),
            };
            left.insert(name, value.into_owned());
        }
        Self { left }
    }

    /// A digest of all parameters, equal for requests that ask for the same.
    pub(super) fn fingerprint(&self, method_and_path: &str) -> String {
        let mut digest = Sha256::new();
        digest.update(method_and_path);
        for (name, value) in &self.left {
            digest.update((name.len() as u64).to_be_bytes());
            digest.update(name);
            digest.update((value.len() as u64).to_be_bytes());
            digest.update(value);
        }
        hex(&digest.finalize())
    }

    /// Is there a parameter of this name, or one below it?
    pub(super) fn has(&self, name: &str) -> bool {
        let below = format!("{name}[");
        self.left
            .keys()
            .any(|key| key == name || key.starts_with(&below))
    }

    /// An optional text; an empty one counts as absent, which is how Stripe unsets.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.left.remove(name).filter(|value| !value.is_empty())
    }

    pub(super) fn required(&mut self, name: &str) -> Result<String, ApiError> {
        let Some(value) = self.left.remove(name) else {
            let message = format!("Missing required param: {name}.");
            return Err(ApiError::invalid(message)
                .code("parameter_missing")
                .param(name));
        };
        if value.is_empty() {
            let message = format!(
                "You passed an empty string for '{name}'. We assume empty values are an attempt \
                 to unset a parameter; however '{name}' cannot be unset."
            );
            return Err(ApiError::invalid(message)
                .code("parameter_invalid_empty")
                .param(name));
        }
        Ok(value)
    }

    pub(super) fn integer(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        self.text(name)
            .map(|value| parse_integer(name, &value))
            .transpose()
    }

    /// An integer of at least 1, as every amount is.
    pub(super) fn positive(&mut self, name: &str) -> Result<Option<i64>, ApiError> {
        self.integer(name)?
            .map(|number| check_positive(name, number))
            .transpose()
    }

    pub(super) fn required_positive(&mut self, name: &str) -> Result<i64, ApiError> {
        let value = self.required(name)?;
        check_positive(name, parse_integer(name, &value)?)
    }

    pub(super) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.text(name).as_deref() {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(ApiError::invalid(format!("Invalid boolean: {other}")).param(name)),
        }
    }

    /// One of the given words.
    pub(super) fn choice(
        &mut self,
        name: &str,
        words: &[&'static str],
    ) -> Result<Option<&'static str>, ApiError> {
        let Some(value) = self.text(name) else {
            return Ok(None);
        };
        match words.iter().find(|word| **word == value) {
            Some(word) => Ok(Some(word)),
            None => {
                let message = format!("Invalid {name}: must be one of {}", words.join(", "));
                Err(ApiError::invalid(message).param(name))
            }
        }
    }

    /// The values of `name[]`, in their order.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        self.map(name).into_values().collect()
    }

    /// The texts below `name`, one level deep.
    pub(super) fn map(&mut self, name: &str) -> BTreeMap<String, String> {
        let mut taken = BTreeMap::new();
        self.left.retain(|key, value| match child(key, name) {
            Some(child) => {
                taken.insert(child.to_owned(), std::mem::take(value));
                false
            }
            None => true,
        });
        taken
    }

    /// `metadata[…]`, within Stripe's limits: 50 keys of 40 characters, values of 500.
    pub(super) fn metadata(&mut self) -> Result<BTreeMap<String, String>, ApiError> {
        self.text("metadata");
        let metadata = self.map("metadata");
        if metadata.len() > 50 {
            return Err(ApiError::invalid("Metadata can have up to 50 keys.").param("metadata"));
        }
        for (key, value) in &metadata {
            if key.chars().count() > 40 || value.chars().count() > 500 {
                let message = "Metadata keys can have up to 40 characters, values up to 500.";
                return Err(ApiError::invalid(message).param(&format!("metadata[{key}]")));
            }
        }
        Ok(metadata)
    }

    /// Refuses what nobody has read.
    pub(super) fn finish(self) -> Result<(), ApiError> {
        let Some(first) = self.left.keys().next() else {
            return Ok(());
        };
        let names: Vec<_> = self.left.keys().map(String::as_str).collect();
        let plural = if names.len() > 1 { "s" } else { "" };
        let message = format!("Received unknown parameter{plural}: {}", names.join(", "));
        Err(ApiError::invalid(message)
            .code("parameter_unknown")
            .param(first))
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parse_integer(name: &str, value: &str) -> Result<i64, ApiError> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse() {
        Ok(number) if is_plain => Ok(number),
        _ => Err(invalid_integer(name, format!("Invalid integer: {value}"))),
    }
}

fn check_positive(name: &str, number: i64) -> Result<i64, ApiError> {
    if number >= 1 {
        return Ok(number);
    }
    let message = "This value must be greater than or equal to 1.".to_owned();
    Err(invalid_integer(name, message))
}

fn invalid_integer(name: &str, message: String) -> ApiError {
    ApiError::invalid(message)
        .code("parameter_invalid_integer")
        .param(name)
}

/// The `b` of `a[b]`, unless it goes deeper.
fn child<'a>(key: &'a str, parent: &str) -> Option<&'a str> {
    let inside = key
        .strip_prefix(parent)?
        .strip_prefix('[')?
        .strip_suffix(']')?;
    (!inside.contains(['[', ']'])).then_some(inside)
}

/// Padded, because the map sorts keys as texts and `[10]` would come before `[2]`.
fn next_index(left: &BTreeMap<String, String>, list: &str) -> String {
    let count = left.keys().filter(|key| child(key, list).is_some()).count();
    format!("{count:04}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn nested_keys_lists_and_escapes_are_read() {
        let mut params = Params::parse(b"a%5Bb%5D=c+d&expand[]=x&expand[]=y&metadata[k]=%C3%A9");
        assert_eq!(params.map("a")["b"], "c d");
        assert_eq!(params.list("expand"), ["x", "y"]);
        assert_eq!(params.metadata().unwrap()["k"], "é");
        params.finish().unwrap();
    }

    #[test]
    fn what_is_left_is_unknown() {
        let mut params = Params::parse(b"amount=5&amuont=6&metadata[a][b]=7");
        assert_eq!(params.integer("amount").unwrap(), Some(5));
        params.metadata().unwrap();
        let error = params.finish().unwrap_err();
        assert_eq!(error.body.code.as_deref(), Some("parameter_unknown"));
        assert_eq!(error.body.param.as_deref(), Some("amuont"));
        assert!(error.body.message.contains("metadata[a][b]"));
    }

    #[test]
    fn integers_are_plain_digits() {
        for wrong in ["1.5", "1e3", "+5", " 5", "abc", "9223372036854775808", "-"] {
            let mut params = Params {
                left: [("n".to_owned(), wrong.to_owned())].into(),
            };
            assert!(params.integer("n").is_err(), "{wrong}");
        }
    }

    #[test]
    fn fingerprints_do_not_depend_on_order_but_on_every_value() {
        let print = |text: &str| Params::parse(text.as_bytes()).fingerprint("POST /x");
        assert_eq!(print("a=1&b=2"), print("b=2&a=1"));
        assert_ne!(print("a=1&b=2"), print("a=12&b="));
        assert_ne!(print("a=1"), Params::parse(b"a=1").fingerprint("POST /y"));
    }
}
