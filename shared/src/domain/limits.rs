//! Rate limits: how much of what one caller may do, and who a caller is.
//!
//! Requests are judged by the generic cell rate algorithm (GCRA, ITU-T I.371):
//! all that is remembered of a caller is one instant, the *theoretical arrival
//! time* at which the whole quota is there again. Instants are microseconds since
//! 1970: at 100,000 a minute one request is worth 600 of them.

mod buckets;
mod class;

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use uuid::Uuid;

use super::secrets::Digest;

pub use buckets::Buckets;
pub use class::{Allowance, Class, Policy};

/// At most `units` at once, and `units` per window in the long run. In any time
/// `t` never more than `units + t * units / window` are admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    units: u32,
    window_seconds: u32,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may go on.
    pub admitted: bool,
    /// The theoretical arrival time after it, in microseconds since 1970.
    pub arrival_us: i64,
    /// Units that are left.
    pub remaining: u32,
    /// With nothing left, how long until the next request is admitted; otherwise
    /// how long until the whole quota is there again.
    pub reset: Duration,
}

impl Quota {
    /// `units`, at least 1, per `window_seconds`, at least 1.
    pub const fn new(units: u32, window_seconds: u32) -> Self {
        Self {
            units: if units == 0 { 1 } else { units },
            window_seconds: if window_seconds == 0 {
                1
            } else {
                window_seconds
            },
        }
    }

    /// How many at once.
    pub const fn units(self) -> u32 {
        self.units
    }

    /// In how many seconds as many come back.
    pub const fn window_seconds(self) -> u32 {
        self.window_seconds
    }

    /// How long it takes until `weight` units are back, at most all there are,
    /// since more could never be admitted. Rounded up, so that the rate is never
    /// more than promised.
    pub fn cost_us(self, weight: u32) -> i64 {
        let window_us = i64::from(self.window_seconds) * 1_000_000;
        let interval_us = (window_us + i64::from(self.units) - 1) / i64::from(self.units);
        interval_us * i64::from(weight.min(self.units))
    }

    /// How far ahead of now the theoretical arrival time may be.
    pub fn tolerance_us(self) -> i64 {
        self.cost_us(self.units)
    }

    /// Judges a request that takes `weight` units.
    pub fn judge(self, arrival_us: i64, now_us: i64, weight: u32) -> Decision {
        let after = arrival_us.max(now_us) + self.cost_us(weight);
        let excess = after - now_us - self.tolerance_us();
        if excess > 0 {
            return Decision {
                admitted: false,
                arrival_us,
                remaining: 0,
                reset: span(excess),
            };
        }
        let remaining = u32::try_from(-excess / self.cost_us(1)).unwrap_or(self.units);
        let reset = if remaining == 0 {
            excess + self.cost_us(1)
        } else {
            after - now_us
        };
        Decision {
            admitted: true,
            arrival_us: after,
            remaining,
            reset: span(reset),
        }
    }
}

fn span(us: i64) -> Duration {
    Duration::from_micros(u64::try_from(us).unwrap_or_default())
}

/// Where a request comes from, as far as one customer can choose it: an IPv4
/// address, or the /64 of an IPv6 one. Never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network(IpAddr);

impl Network {
    /// Of requests whose address nobody vouches for: all of them together.
    pub const UNKNOWN: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => {
                Self(IpAddr::V6((u128::from(address) & (u128::MAX << 64)).into()))
            }
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network(…)")
    }
}

/// Whose quota a request is counted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// An account, proven by an access token.
    User(Uuid),
    /// Whoever is at an address.
    Address(Network),
}

/// One quota of one holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// `<name>#<digest>`: no address and no account stands in it.
    pub id: String,
    /// What it holds.
    pub quota: Quota,
    /// Units that one request takes.
    pub weight: u32,
}

impl Bucket {
    /// The bucket called `name` of whoever `parts` tell apart. The stage is part
    /// of the digest, so that two stages' rows cannot be matched.
    pub fn new(stage: &str, name: &str, parts: &[&str], quota: Quota) -> Self {
        let mut text = format!("{stage}\0{name}");
        for part in parts {
            text.push('\0');
            text.push_str(part);
        }
        Self {
            id: format!("{name}#{}", Digest::of(text.as_bytes()).to_text()),
            quota,
            weight: 1,
        }
    }

    /// Judges a request at `now_us`.
    pub fn judge(&self, arrival_us: i64, now_us: i64) -> Decision {
        self.quota.judge(arrival_us, now_us, self.weight)
    }
}

impl Holder {
    /// What tells it from every other holder.
    fn key(self) -> [String; 2] {
        match self {
            Self::User(id) => ["user".to_owned(), id.to_string()],
            Self::Address(network) => ["address".to_owned(), network.key()],
        }
    }
}

impl Network {
    /// What tells it from every other network. Only ever stored as a digest.
    pub fn key(self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests;
