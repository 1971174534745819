//! Shows how far a replay is. It goes on without anybody looking.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use uuid::Uuid;

use super::{Count, Desk, ListOptions};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// The replayer comes once a minute. After twice that without a change, what is left waits for
/// something else, such as its next attempt.
const PATIENCE: Duration = Duration::from_secs(150);
/// An access token is good for fifteen minutes.
const SIGN_IN_AFTER: Duration = Duration::from_secs(600);

/// Shows a replay until all of it is done with, or nothing happens any more.
///
/// # Errors
/// The API refuses, or goes away for longer than a few tries take.
pub(super) async fn until_done(desk: &mut Desk, replay: Uuid) -> Result<()> {
    let bar = bar();
    let (mut changed, mut signed_in) = (Instant::now(), Instant::now());
    let mut before = Far::default();
    let far = loop {
        if signed_in.elapsed() > SIGN_IN_AFTER {
            desk.api = desk.api.sign_in(&desk.admin).await?;
            signed_in = Instant::now();
        }
        let far = Far::of(&desk.counts(Some(replay)).await?);
        bar.set_length(far.total());
        bar.set_position(far.done());
        bar.set_message(far.words());
        if far != before {
            changed = Instant::now();
            before = far.clone();
        }
        if far.open == 0 || changed.elapsed() > PATIENCE {
            break far;
        }
        tokio::time::sleep(PAUSE).await;
    };
    bar.finish_and_clear();
    println!("{}", far.words());
    if far.parked > 0 {
        desk.list(&ListOptions::left_over(replay)).await?;
    }
    if far.open > 0 {
        println!("the rest is tried again later: cargo holdfast dlq stats --replay {replay}");
    }
    Ok(())
}

/// A bar on a terminal, and nothing elsewhere.
fn bar() -> ProgressBar {
    let target = if std::io::stdout().is_terminal() {
        ProgressDrawTarget::stdout()
    } else {
        ProgressDrawTarget::hidden()
    };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let style = ProgressStyle::with_template("  {bar:40} {pos}/{len}  {wide_msg} {elapsed}");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

/// How many are where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Far {
    open: u64,
    replayed: u64,
    parked: u64,
    discarded: u64,
}

impl Far {
    fn of(counts: &[Count]) -> Self {
        let mut far = Self::default();
        for part in counts {
            let place = match part.status.as_str() {
                "replayed" => &mut far.replayed,
                "parked" => &mut far.parked,
                "discarded" => &mut far.discarded,
                _ => &mut far.open,
            };
            *place += part.count;
        }
        far
    }

    fn done(&self) -> u64 {
        self.replayed + self.parked + self.discarded
    }

    fn total(&self) -> u64 {
        self.done() + self.open
    }

    fn words(&self) -> String {
        let mut words = format!("{} replayed, {} parked", self.replayed, self.parked);
        if self.discarded > 0 {
            words += &format!(", {} discarded", self.discarded);
        }
        if self.open > 0 {
            words += &format!(", {} to come", self.open);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dead_letter_is_counted_somewhere() {
        let counts = [
            ("replayed", 490),
            ("parked", 10),
            ("waiting", 2),
            ("replaying", 1),
        ];
        let counts = counts.map(|(status, count)| Count {
            queue: "orders".into(),
            type_: None,
            error_class: "defect".into(),
            status: status.into(),
            count,
            oldest_failed_at: String::new(),
        });
        let far = Far::of(&counts);
        assert_eq!((far.done(), far.total(), far.open), (500, 503, 3));
        assert_eq!(far.words(), "490 replayed, 10 parked, 3 to come");
    }
}
