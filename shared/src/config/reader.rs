//! Variables, read one by one; every fault is noted rather than ending the reading.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::DatabaseHost;

/// Reads variables and notes every fault.
pub(super) struct Reader {
    variables: BTreeMap<String, String>,
    pub(super) faults: Vec<String>,
}

impl Reader {
    pub(super) fn new(variables: BTreeMap<String, String>) -> Self {
        Self {
            variables,
            faults: Vec::new(),
        }
    }

    /// Notes a fault; always `None`, so that callers can return it.
    pub(super) fn fault<T>(&mut self, name: &str, reason: impl fmt::Display) -> Option<T> {
        self.faults.push(format!("{name} {reason}"));
        None
    }

    /// A variable that is set and not blank.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        self.variables
            .get(name)
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.given(name).or_else(|| self.fault(name, "is missing"))
    }

    pub(super) fn text_or(&mut self, name: &str, default: &str) -> String {
        self.given(name).unwrap_or_else(|| default.to_owned())
    }

    pub(super) fn number<N: FromStr>(&mut self, name: &str, default: N) -> N {
        let Some(text) = self.given(name) else {
            return default;
        };
        match text.parse() {
            Ok(number) => number,
            Err(_) => {
                self.fault::<()>(name, format_args!("must be a whole number, not {text:?}"));
                default
            }
        }
    }

    /// A whole number from 1 up.
    pub(super) fn positive(&mut self, name: &str, default: u32) -> u32 {
        let number = self.number(name, default);
        if number == 0 {
            self.fault::<()>(name, "must be at least 1");
        }
        number
    }

    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text_or(name, default);
        parse(&text)
            .map_err(|error| self.fault::<()>(name, error))
            .ok()
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
            self.fault::<()>(name, format_args!("is not valid JSON: {error}"));
            T::default()
        })
    }

    pub(super) fn hosts(&mut self) -> Option<Vec<DatabaseHost>> {
        let mut listed = self.list("DB_HOSTS");
        for name in ["DB_HOST_PRIMARY", "DB_HOST_REPLICA", "DB_HOST_FALLBACK"] {
            listed.extend(self.given(name));
        }
        if listed.is_empty() {
            return self.fault(
                "DB_HOSTS",
                "is missing (or DB_HOST_PRIMARY, DB_HOST_REPLICA, DB_HOST_FALLBACK)",
            );
        }
        let mut hosts: Vec<DatabaseHost> = Vec::new();
        for text in listed {
            let (host, port) = text.rsplit_once(':').unwrap_or((&text, "5432"));
            let Ok(port) = port.parse() else {
                return self.fault(
                    "DB_HOSTS",
                    format_args!("has {text:?}, which is not host or host:port"),
                );
            };
            let host = DatabaseHost {
                host: host.to_owned(),
                port,
            };
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        Some(hosts)
    }
}
