//! The kinds of fault, as they are written and read.

use super::dependency::Dependency;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How a dependency fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nobody listens, and open connections are reset.
    Refuse,
    /// A connection is reset as soon as anything is said on it.
    Reset,
    /// Connections are accepted and stand still until the fault is healed.
    Hang,
    /// What is said on a connection is lost, and neither side hears that it is.
    HalfOpen,
    /// Each time the other side begins to speak, that comes so much later.
    Latency(Duration),
    /// This share of requests fails, in the dependency's own words; 0 to 100.
    Error(u8),
    /// This share of requests is too many, in the dependency's own words; 0 to 100.
    Throttle(u8),
    /// An answer is cut off after so many bytes, and the connection reset.
    Cut(u64),
    /// Money moves, and the connection is reset instead of an answer.
    ChargeThenDrop,
}

/// What may be written, for whoever wrote something else.
pub const ALLOWED: &str = "refuse, reset, hang, half-open, latency=<milliseconds>, error=<percent>, \
     throttle=<percent>, cut=<bytes>, charge-then-drop (payments only), heal";

impl Kind {
    /// Whether a dependency can fail so.
    ///
    /// # Errors
    /// It cannot, in a sentence.
    pub fn suits(self, dependency: Dependency) -> Result<(), String> {
        if self == Self::ChargeThenDrop && dependency != Dependency::Payments {
            return Err(format!(
                "Only `payments` can charge and then drop, not `{dependency}`."
            ));
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refuse => f.write_str("refuse"),
            Self::Reset => f.write_str("reset"),
            Self::Hang => f.write_str("hang"),
            Self::HalfOpen => f.write_str("half-open"),
            Self::Latency(delay) => write!(f, "latency={}", delay.as_millis()),
            Self::Error(percent) => write!(f, "error={percent}"),
            Self::Throttle(percent) => write!(f, "throttle={percent}"),
            Self::Cut(bytes) => write!(f, "cut={bytes}"),
            Self::ChargeThenDrop => f.write_str("charge-then-drop"),
        }
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("There is no fault `{text}`. There are: {ALLOWED}.");
        let Some((name, number)) = text.split_once('=') else {
            return match text {
                "refuse" => Ok(Self::Refuse),
                "reset" => Ok(Self::Reset),
                "hang" => Ok(Self::Hang),
                "half-open" => Ok(Self::HalfOpen),
                "charge-then-drop" => Ok(Self::ChargeThenDrop),
                "latency" => Err("`latency` needs milliseconds, such as latency=300.".into()),
                "error" | "throttle" => Err(format!("`{text}` needs a share, such as {text}=50.")),
                "cut" => Err("`cut` needs bytes, such as cut=100.".into()),
                _ => Err(unknown()),
            };
        };
        match name {
            "latency" => Ok(Self::Latency(Duration::from_millis(whole(text, number)?))),
            "error" => Ok(Self::Error(percent(text, number)?)),
            "throttle" => Ok(Self::Throttle(percent(text, number)?)),
            "cut" => Ok(Self::Cut(whole(text, number)?)),
            _ => Err(unknown()),
        }
    }
}

fn whole(text: &str, number: &str) -> Result<u64, String> {
    let parsed = number.parse::<u32>().map(u64::from);
    parsed.map_err(|_| {
        format!(
            "`{text}`: the number must be whole, from 0 to {}.",
            u32::MAX
        )
    })
}

fn percent(text: &str, number: &str) -> Result<u8, String> {
    let parsed = number.parse::<u8>().ok().filter(|percent| *percent <= 100);
    parsed.ok_or_else(|| format!("`{text}`: the share must be a whole number from 0 to 100."))
}

/// Reads how long a fault lasts: a whole number above 0 with ms, s or m.
///
/// # Errors
/// What may be written instead.
pub fn span(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = text.strip_suffix(unit).unwrap_or_default().parse::<u32>();
    let span = match (number, unit) {
        (Ok(number), "ms") => Some(Duration::from_millis(number.into())),
        (Ok(number), "s") => Some(Duration::from_secs(number.into())),
        (Ok(number), "m") => Some(Duration::from_secs(u64::from(number) * 60)),
        _ => None,
    };
    span.filter(|span| !span.is_zero()).ok_or_else(|| {
        format!("`{text}` is no span: write a whole number and ms, s or m, such as 500ms, 60s, 5m.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for text in [
            "refuse",
            "reset",
            "hang",
            "half-open",
            "latency=300",
            "error=0",
            "throttle=100",
            "cut=12",
            "charge-then-drop",
        ] {
            assert_eq!(text.parse::<Kind>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_kind_is_told_what_is() {
        for (text, says) in [
            ("slow", "latency=<milliseconds>"),
            ("slow=3", "charge-then-drop (payments only)"),
            ("latency", "latency=300"),
            ("error", "error=50"),
            ("error=101", "0 to 100"),
            ("error=-1", "0 to 100"),
            ("throttle=1.5", "0 to 100"),
            ("cut=", "whole"),
            ("latency=5s", "whole"),
        ] {
            let refusal = text.parse::<Kind>().unwrap_err();
            assert!(
                refusal.contains(says) && refusal.contains(text),
                "{refusal}"
            );
        }
    }

    #[test]
    fn only_payments_charge_and_drop() {
        assert!(Kind::ChargeThenDrop.suits(Dependency::Payments).is_ok());
        assert!(Kind::ChargeThenDrop.suits(Dependency::Sqs).is_err());
        assert!(Kind::Hang.suits(Dependency::Sqs).is_ok());
    }

    #[test]
    fn spans_have_a_unit_and_are_not_empty() {
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(span("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "60", "s", "0s", "-1s", "1.5s", "1h", "s60"] {
            assert!(span(text).unwrap_err().contains("5m"), "{text}");
        }
    }
}
