//! The event that keeps an environment warm.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::resilience::policies::WARM_UP_HOLD;
use crate::state::Edge;
use crate::telemetry;

/// What the warmer sends: `{"warm_up":{"hold_ms":300}}`, in exactly this order
/// and spacing, because HTTP functions tell it from a request by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    warm_up: Hold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Hold {
    /// Absent when somebody sends a warm-up by hand.
    #[serde(default)]
    hold_ms: u64,
}

impl WarmUp {
    /// One of `concurrency` warm-ups that are sent at once. An environment that
    /// answers at once would take the next of them as well, so each stays busy.
    pub fn one_of(concurrency: usize) -> Self {
        let hold = if concurrency > 1 {
            WARM_UP_HOLD.as_millis()
        } else {
            0
        };
        Self {
            warm_up: Hold {
                hold_ms: u64::try_from(hold).unwrap_or_default(),
            },
        }
    }

    /// Reads it back.
    ///
    /// # Errors
    /// It is something else.
    pub fn parse(event: &str) -> serde_json::Result<Self> {
        serde_json::from_str(event)
    }

    /// Touches what a request would need, and stays busy for as long as was
    /// asked, though never longer than the policy says.
    pub async fn run(self, edge: &Edge) {
        let started = Instant::now();
        let hold = Duration::from_millis(self.warm_up.hold_ms).min(WARM_UP_HOLD);
        futures::join!(edge.warm_up(), tokio::time::sleep(hold));
        telemetry::warm_up(started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::to_raw_value;

    use super::*;
    use crate::http::is_warm_up;

    #[test]
    fn what_is_sent_is_told_from_a_request_and_read_back() {
        for concurrency in [1, 5] {
            let sent = to_raw_value(&WarmUp::one_of(concurrency)).unwrap();
            assert!(is_warm_up(&sent), "{sent}");
            let read = WarmUp::parse(sent.get()).unwrap();
            assert_eq!(read, WarmUp::one_of(concurrency));
        }
    }

    #[test]
    fn only_several_at_once_are_held() {
        assert_eq!(
            WarmUp::one_of(1),
            WarmUp::parse(r#"{"warm_up":{}}"#).unwrap()
        );
        assert_ne!(WarmUp::one_of(2), WarmUp::one_of(1));
    }
}
