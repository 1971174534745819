//! Variables, read one by one; every fault is noted rather than ending the reading.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::Stage;

/// Reads variables and notes every fault. After a fault the value is a stand-in that nobody gets
/// to see.
pub struct Reader {
    variables: BTreeMap<String, String>,
    function: &'static str,
    stage: Stage,
    pub(super) faults: Vec<String>,
    /// The variables that were looked at.
    pub(super) asked: BTreeSet<String>,
}

impl Reader {
    pub(super) fn new(function: &'static str, variables: BTreeMap<String, String>) -> Self {
        let mut reader = Self {
            variables,
            function,
            stage: Stage::new(String::new()),
            faults: Vec::new(),
            asked: BTreeSet::new(),
        };
        reader.stage = Stage::new(reader.text("STAGE"));
        reader
    }

    /// The stage that the function runs in.
    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Whether the rules of production hold. Without a stage nobody can tell, and its absence is
    /// the fault.
    pub(super) fn is_production(&self) -> bool {
        !self.stage.as_str().is_empty() && self.stage.is_production()
    }

    /// Notes a fault.
    pub(super) fn fault(&mut self, name: &str, reason: impl fmt::Display) {
        self.faults.push(format!("{name} {reason}"));
    }

    /// A variable that is set and not blank.
    pub(super) fn given(&mut self, name: &str) -> Option<String> {
        self.asked.insert(name.to_owned());
        self.peek(name)
    }

    /// The same of a variable that belongs to somebody else, as `AWS_REGION` does to Lambda.
    pub(super) fn peek(&self, name: &str) -> Option<String> {
        self.variables
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// The names of variables that are set and begin so.
    pub(super) fn beginning_with(&self, prefix: &str) -> Vec<String> {
        let names = self
            .variables
            .keys()
            .filter(|name| name.starts_with(prefix));
        let set = names.filter(|name| self.peek(name).is_some());
        set.cloned().collect()
    }

    pub(super) fn text(&mut self, name: &str) -> String {
        self.given(name).unwrap_or_else(|| {
            self.fault(name, "is missing: set it");
            String::new()
        })
    }

    pub(super) fn text_or(&mut self, name: &str, default: &str) -> String {
        self.given(name).unwrap_or_else(|| default.to_owned())
    }

    /// The name of a secret, by default `holdfast/<stage>/<name>`.
    pub(super) fn secret_id(&mut self, variable: &str, name: &str) -> String {
        let default = format!("holdfast/{}/{name}", self.stage);
        self.text_or(variable, &default)
    }

    /// The name of the secret with the function's own database login.
    pub(super) fn database_secret_id(&mut self) -> String {
        let name = format!("db/{}", self.function);
        self.secret_id("DB_SECRET_ID", &name)
    }

    pub(super) fn number<N: FromStr>(&mut self, name: &str, default: N) -> N {
        let Some(text) = self.given(name) else {
            return default;
        };
        text.parse().unwrap_or_else(|_| {
            self.fault(name, format_args!("must be a whole number, not {text:?}"));
            default
        })
    }

    /// A whole number from 1 up.
    pub(super) fn positive(&mut self, name: &str, default: u32) -> u32 {
        let number = self.number(name, default);
        if number == 0 {
            self.fault(name, "must be at least 1");
        }
        number
    }

    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> T {
        let Some(text) = self.given(name) else {
            return default;
        };
        parse(&text).unwrap_or_else(|error| {
            self.fault(name, error);
            default
        })
    }

    /// A list as JSON or as comma-separated values.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let Some(text) = self.given(name) else {
            return Vec::new();
        };
        if text.starts_with('[') {
            return self.json(name);
        }
        text.split(',')
            .map(|item| item.trim().to_owned())
            .filter(|item| !item.is_empty())
            .collect()
    }

    pub(super) fn json<T: serde::de::DeserializeOwned + Default>(&mut self, name: &str) -> T {
        let Some(text) = self.given(name) else {
            return T::default();
        };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            self.fault(name, format_args!("is not valid JSON: {error}"));
            T::default()
        })
    }

    /// The address of something outside, without a `/` at its end.
    pub(super) fn url(&mut self, name: &str) -> String {
        let url = self.text(name);
        self.check_url(name, &url);
        url.trim_end_matches('/').to_owned()
    }

    pub(super) fn url_if_given(&mut self, name: &str) -> Option<String> {
        let url = self.given(name)?;
        self.check_url(name, &url);
        Some(url.trim_end_matches('/').to_owned())
    }

    /// An address has a scheme and a host, and in production it is encrypted and nobody's example.
    pub(super) fn check_url(&mut self, name: &str, url: &str) {
        if url.is_empty() {
            return;
        }
        match host_of(url) {
            None => self.fault(
                name,
                format_args!("must be like https://host, with nothing but a port or a path after it, not {url:?}"),
            ),
            Some(_) if self.is_production() && !url.starts_with("https://") => self.fault(
                name,
                format_args!("must begin with https:// in production, not {url:?}"),
            ),
            Some(host) => self.check_host(name, host),
        }
    }

    /// Refuses hosts that nobody can have (RFC 2606, RFC 6761), in production: they are left over
    /// from an example.
    pub(super) fn check_host(&mut self, name: &str, host: &str) {
        const EXAMPLES: [&str; 7] = [
            "example",
            "test",
            "invalid",
            "localhost",
            "example.com",
            "example.net",
            "example.org",
        ];
        let ends_with = |domain: &&str| {
            let rest = host.strip_suffix(*domain);
            rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        let is_here = host.starts_with("127.") || host == "[::1]";
        if self.is_production() && (is_here || EXAMPLES.iter().any(ends_with)) {
            self.fault(
                name,
                format_args!("still has the example's {host}: put your own in its place"),
            );
        }
    }
}

/// The host of a URL that is `http(s)://host[:port][/path]`.
fn host_of(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !authority.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || "-._[]:".contains(letter);
    let well_formed = !host.is_empty()
        && host.chars().all(is_part)
        && port.is_none_or(is_port)
        && !rest.contains([' ', '?', '#', '@']);
    well_formed.then_some(host)
}

#[cfg(test)]
mod tests {
    use super::host_of;

    #[test]
    fn host_is_found_and_anything_but_an_address_is_refused() {
        for (url, host) in [
            ("https://shop.example", Some("shop.example")),
            ("http://127.0.0.1:4566/bucket", Some("127.0.0.1")),
            ("https://[::1]:8080", Some("[::1]")),
            ("https://", None),
            ("shop.example", None),
            ("ftp://shop.example", None),
            ("https://shop.example:port", None),
            ("https://me@shop.example", None),
            ("https://shop.example?x", None),
        ] {
            assert_eq!(host_of(url), host, "{url}");
        }
    }
}
