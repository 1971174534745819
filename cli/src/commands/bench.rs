//! `bench`: what our own code costs, measured on this machine.

mod cold_start;
mod runtime;
mod sizes;
mod subjects;
mod table;
mod warmer;

use crate::progress::Progress;
use crate::project;
use crate::steps::build::{self, Target};
use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use cold_start::ColdStart;
use local::{Stack, tools};
use serde::Serialize;
use sizes::Size;
use std::path::PathBuf;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// Only these functions, with commas between
    #[arg(long, value_delimiter = ',')]
    functions: Vec<String>,
    /// The cargo profile that is measured
    #[arg(long, default_value = "release")]
    profile: String,
    /// Cold starts of each program
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    spawns: u32,
    /// Prints one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Measures the cold starts that customers meet with and without the warmer. On the running
    /// stack, whose environments it ends again and again
    Warmer(warmer::Options),
}

/// Everything that was measured.
#[derive(Serialize)]
struct Report {
    profile: String,
    spawns: u32,
    cold_start: Vec<ColdStart>,
    /// Why a function that can be measured was left out.
    left_out: Vec<String>,
    sizes: Vec<Size>,
}

/// Measures.
///
/// # Errors
/// Something does not build, or a function gives no answer.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    if let Some(What::Warmer(options)) = &options.what {
        return warmer::run(stack, options).await;
    }
    let progress = match options.json {
        true => Progress::silent(),
        false => Progress::new(),
    };
    let functions = chosen(stack, options)?;
    build_all(stack, options, &functions, &progress).await?;
    let report = measure(stack, options, &functions, &progress).await?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        progress.line(&table::text(&report));
    }
    Ok(())
}

fn chosen(stack: &Stack, options: &Options) -> Result<Vec<String>> {
    let all = project::functions(stack)?;
    if options.functions.is_empty() {
        return Ok(all);
    }
    if let Some(unknown) = options.functions.iter().find(|name| !all.contains(name)) {
        bail!(
            "There is no function `{unknown}`; there are {}.",
            all.join(", ")
        );
    }
    Ok(options.functions.clone())
}

async fn build_all(
    stack: &Stack,
    options: &Options,
    functions: &[String],
    progress: &Progress,
) -> Result<()> {
    let folder = programs(stack, options);
    let target = |packages| Target {
        packages,
        profile: Some(options.profile.as_str()),
        folder: Some(folder.as_path()),
    };
    progress
        .step("tools", async |_| {
            tools::ensure(stack).await?;
            Ok(((), "installed".into()))
        })
        .await?;
    progress
        .step("functions", async |step| {
            Ok(((), build::compile(stack, step, &target(functions)).await?))
        })
        .await?;
    // By itself, because cargo gives packages that are built together each other's features.
    let hello = [subjects::HELLO.to_owned()];
    progress
        .step("hello-world", async |step| {
            Ok(((), build::compile(stack, step, &target(&hello)).await?))
        })
        .await
}

async fn measure(
    stack: &Stack,
    options: &Options,
    functions: &[String],
    progress: &Progress,
) -> Result<Report> {
    let folder = programs(stack, options);
    let (subjects, left_out) = subjects::choose(stack, &folder, functions).await?;
    let cold_start = progress
        .step("cold starts", async |step| {
            let figures = cold_start::measure(&subjects, options.spawns, step).await?;
            Ok((figures, format!("{} programs", subjects.len())))
        })
        .await?;
    let sizes = progress
        .step("sizes", async |_| {
            let sizes = sizes::measure(stack, &folder, functions).await?;
            let words = format!("{} programs", sizes.len());
            Ok((sizes, words))
        })
        .await?;
    Ok(Report {
        profile: options.profile.clone(),
        spawns: options.spawns,
        cold_start,
        left_out,
        sizes,
    })
}

/// Not the folder that `up` deploys from.
fn programs(stack: &Stack, options: &Options) -> PathBuf {
    stack.root().join("target/bench").join(&options.profile)
}
