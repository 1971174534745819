//! The last-good catalogue: complete before somebody takes the database away.

use crate::emulator;
use crate::progress::Step;
use anyhow::{Result, bail};
use local::Stack;
use local::stack::STAGE;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(600);
const PAUSE: Duration = Duration::from_millis(300);

/// Waits until every change has reached S3, and has the sweeper compare it until all was compared
/// once.
///
/// # Errors
/// It is not complete after ten minutes.
pub(crate) async fn complete(stack: &Stack, step: &Step) -> Result<String> {
    let begin = Instant::now();
    let projector = format!("holdfast-{STAGE}-projector");
    let variables = emulator::variables(stack, &projector).await?;
    let queue_url = &variables["CATALOGUE_QUEUE_URL"];
    let mut failure = String::new();
    while begin.elapsed() < PATIENCE {
        let queued = emulator::queued(stack, queue_url).await?;
        if queued > 0 {
            step.say(format!("{queued} changes on their way"));
        } else {
            match compare(stack).await {
                Ok(Some(compared)) => return Ok(compared),
                Ok(None) => {}
                // Some other job of the sweeper's may have failed; the next visit may not.
                Err(error) => failure = format!(" The sweeper failed last: {error:#}."),
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    bail!(
        "The catalogue in S3 is not complete.{failure} Look at: cargo holdfast logs projector, \
         cargo holdfast logs sweeper"
    )
}

/// What the sweeper did, if the catalogue is complete.
async fn compare(stack: &Stack) -> Result<Option<String>> {
    let sweeper = format!("holdfast-{STAGE}-sweeper");
    let done = emulator::invoke(stack, &sweeper).await?.unwrap_or_default();
    let catalogue = &done["catalogue"];
    let complete = catalogue["complete"].as_bool().unwrap_or_default();
    let count = |name| catalogue[name].as_u64().unwrap_or_default();
    let (compared, repaired) = (count("compared"), count("repaired"));
    Ok(complete.then(|| format!("complete, {repaired} parts of {compared} things made or mended")))
}
