//! How long a new environment takes to its first answer, and how much CPU time.

use super::runtime::{Answer, first_answer};
use super::subjects::Subject;
use crate::progress::Step;
use anyhow::{Context, Result, bail};
use local::process::end_and_measure;
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);

/// The figures of one program.
#[derive(Serialize)]
pub(super) struct ColdStart {
    pub(super) function: String,
    pub(super) route: String,
    /// From before the program was started until its first answer had arrived.
    pub(super) wall: Spread,
    /// User and system time until then.
    pub(super) cpu: Spread,
    /// How many times the median of the bare hello-world.
    pub(super) wall_ratio: f64,
    pub(super) cpu_ratio: f64,
    /// The most that `wall_ratio` should be.
    pub(super) target: Option<f64>,
}

/// Half of all samples lie between the quartiles.
#[derive(Serialize)]
pub(super) struct Spread {
    pub(super) median_ms: f64,
    pub(super) quartiles_ms: [f64; 2],
}

struct Sample {
    wall: Duration,
    cpu: Duration,
}

/// Starts all subjects in turn, so that what else the machine does hits them alike. The first
/// subject is what the others are compared with.
///
/// # Errors
/// A program does not start, or does not answer as it should.
pub(super) async fn measure(
    subjects: &[Subject],
    spawns: u32,
    step: &Step,
) -> Result<Vec<ColdStart>> {
    let mut samples: Vec<Vec<Sample>> = subjects.iter().map(|_| Vec::new()).collect();
    for round in 0..=spawns {
        step.say(format!("round {round} of {spawns}"));
        for (subject, samples) in subjects.iter().zip(&mut samples) {
            let sample = start(subject)
                .await
                .with_context(|| format!("{} gave no answer", subject.function))?;
            // The first round brings the programs into memory.
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    let all: Vec<(Spread, Spread)> = samples.iter().map(|samples| spreads(samples)).collect();
    let Some(base) = all
        .first()
        .map(|(wall, cpu)| (wall.median_ms, cpu.median_ms))
    else {
        return Ok(Vec::new());
    };
    let figures = subjects.iter().zip(all);
    Ok(figures
        .map(|(subject, (wall, cpu))| ColdStart {
            function: subject.function.clone(),
            route: subject.route.into(),
            wall_ratio: wall.median_ms / base.0,
            cpu_ratio: cpu.median_ms / base.1,
            target: subject.target,
            wall,
            cpu,
        })
        .collect())
}

async fn start(subject: &Subject) -> Result<Sample> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mut command = command(subject, &listener.local_addr()?.to_string());
    let begin = Instant::now();
    let mut child = command
        .spawn()
        .with_context(|| format!("Cannot start {}.", subject.program.display()))?;
    let answer = timeout(PATIENCE, first_answer(&listener, &subject.event)).await;
    let said = Said::take(&mut child);
    let cpu = end_and_measure(child)?;
    let answer = answer
        .context("it took too long")
        .flatten()
        .and_then(check)
        .with_context(|| said.text())?;
    let wall = answer.at - begin;
    Ok(Sample { wall, cpu })
}

/// The environment that Lambda gives, and nothing of this process's own.
fn command(subject: &Subject, runtime_api: &str) -> Command {
    let mut command = Command::new(&subject.program);
    command
        .env_clear()
        .envs(&subject.variables)
        .env("AWS_LAMBDA_RUNTIME_API", runtime_api)
        .env("AWS_LAMBDA_FUNCTION_NAME", &subject.function)
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn check(answer: Answer) -> Result<Answer> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Status {
        status_code: u16,
    }
    let status: Status = serde_json::from_slice(&answer.body)?;
    if status.status_code != 200 {
        bail!("it answered {}", String::from_utf8_lossy(&answer.body));
    }
    Ok(answer)
}

/// What a program printed, read only when it has failed.
struct Said(Vec<Box<dyn Read>>);

impl Said {
    fn take(child: &mut Child) -> Self {
        let mut said: Vec<Box<dyn Read>> = Vec::new();
        said.extend(child.stdout.take().map(|pipe| Box::new(pipe) as _));
        said.extend(child.stderr.take().map(|pipe| Box::new(pipe) as _));
        Self(said)
    }

    fn text(self) -> String {
        let mut text = Vec::new();
        for mut pipe in self.0 {
            // What cannot be read is missing in a message, and that is all.
            pipe.read_to_end(&mut text).ok();
        }
        format!("it printed: {}", String::from_utf8_lossy(&text).trim())
    }
}

fn spreads(samples: &[Sample]) -> (Spread, Spread) {
    (
        Spread::of(samples.iter().map(|sample| sample.wall)),
        Spread::of(samples.iter().map(|sample| sample.cpu)),
    )
}

impl Spread {
    fn of(durations: impl Iterator<Item = Duration>) -> Self {
        let mut sorted: Vec<f64> = durations.map(|d| d.as_secs_f64() * 1_000.0).collect();
        sorted.sort_by(f64::total_cmp);
        Self {
            median_ms: quantile(&sorted, 2),
            quartiles_ms: [quantile(&sorted, 1), quantile(&sorted, 3)],
        }
    }
}

/// A quarter, the half or three quarters of a sorted list, between two neighbours where need be.
fn quantile(sorted: &[f64], quarters: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let (low, rest) = (last * quarters / 4, last * quarters % 4);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    match rest {
        0 => at(low),
        1 => 0.75 * at(low) + 0.25 * at(low + 1),
        2 => 0.5 * at(low) + 0.5 * at(low + 1),
        _ => 0.25 * at(low) + 0.75 * at(low + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        assert!((quantile(&[1.0, 2.0, 3.0, 4.0], 2) - 2.5).abs() < 1e-9);
        assert!((quantile(&[1.0, 2.0, 3.0, 4.0], 1) - 1.75).abs() < 1e-9);
        assert!((quantile(&[1.0, 2.0, 9.0], 2) - 2.0).abs() < 1e-9);
        assert!((quantile(&[7.0], 3) - 7.0).abs() < 1e-9);
    }

    #[test]
    fn another_status_than_200_is_no_answer() {
        let answer = |body: &str| {
            check(Answer {
                at: Instant::now(),
                body: body.as_bytes().to_vec(),
            })
        };
        assert!(answer(r#"{"statusCode": 200}"#).is_ok());
        assert!(answer(r#"{"statusCode": 503}"#).is_err());
        assert!(answer("{}").is_err());
    }
}
