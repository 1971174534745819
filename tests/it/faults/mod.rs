//! Whole flows while a dependency of the functions fails. Each of these tests runs alone: it calls
//! `Stack::alone` first.

mod payments;
mod pictures;
mod queues;
mod workers;

use std::time::Duration;

/// Asks again and again until there is an answer. Longer than `eventually`: what nobody nudges
/// waits 30 s, and then for the sweeper's next minute.
pub(crate) async fn in_the_end<T>(what: &str, ask: impl AsyncFn() -> Option<T>) -> T {
    const PAUSE: Duration = Duration::from_millis(500);
    for _ in 0..260 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(PAUSE).await;
    }
    panic!("in vain: {what}");
}
