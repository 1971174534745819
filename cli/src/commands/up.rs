//! `up`: brings up what is missing and leaves alone what is there.

use crate::emulator;
use crate::progress::Progress;
use crate::steps::accounts::Accounts;
use crate::steps::deploy::Limits;
use crate::steps::{
    accounts, build, catalogue, database, deploy, lock, machine, samples, secrets, services,
    summary,
};
use anyhow::Result;
use clap::Args;
use local::{Stack, tools};
use std::time::Instant;

#[derive(Args)]
pub(crate) struct Options {
    /// How many requests one caller may make: `local` lets one machine play many customers
    #[arg(long, value_enum, default_value_t)]
    limits: Limits,
}

/// Brings the stack up.
///
/// # Errors
/// Says which step failed, why, and what to do.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let begin = Instant::now();
    let progress = Progress::new();
    let accounts = bring_up(stack, &progress).await?;
    // Last, because filling the sample shop takes more requests than they allow.
    if options.limits == Limits::Production {
        let _lock = lock::take(stack)?;
        progress
            .step("production limits", async |step| {
                let limits = options.limits;
                Ok(((), deploy::application(stack, step, limits).await?))
            })
            .await?;
    }
    let text = summary::text(stack, &accounts, options.limits, begin.elapsed());
    progress.line(&text);
    Ok(())
}

/// Every step, without the summary and with the local limits. Answers who can sign in.
///
/// # Errors
/// As [`run`].
pub(crate) async fn bring_up(stack: &Stack, progress: &Progress) -> Result<Accounts> {
    stack.create_folder()?;
    let _lock = lock::take(stack)?;
    progress
        .step("machine", async |_| Ok(((), machine::check(stack)?)))
        .await?;
    progress
        .step("tools", async |step| {
            step.say("installing the pinned tools".into());
            let words = if tools::ensure(stack).await? {
                "installed"
            } else {
                "installed already"
            };
            Ok(((), words.into()))
        })
        .await?;
    // Compiling takes long and needs none of the servers.
    let (writer, ()) =
        futures::future::try_join(start_servers(stack, progress), compile(stack, progress)).await?;
    progress
        .step("application", async |step| {
            let limits = Limits::Local;
            Ok(((), deploy::application(stack, step, limits).await?))
        })
        .await?;
    progress
        .step("secrets, mail sender", async |_| {
            let changed = secrets::write_all(stack, writer).await?;
            emulator::verify_sender(stack, deploy::SENDER_DOMAIN).await?;
            Ok(((), format!("{changed} secrets or logins changed")))
        })
        .await?;
    let accounts = accounts::of(stack)?;
    progress
        .step("sample shop", async |step| {
            Ok(((), samples::seed(stack, writer, &accounts, step).await?))
        })
        .await?;
    progress
        .step("catalogue in S3", async |step| {
            Ok(((), catalogue::complete(stack, step).await?))
        })
        .await?;
    Ok(accounts)
}

async fn start_servers(stack: &Stack, progress: &Progress) -> Result<local::postgres::Node> {
    progress
        .step("database nodes", async |_| {
            Ok(((), database::start_nodes(stack).await?))
        })
        .await?;
    let writer = progress
        .step("migrations", async |_| database::migrate(stack).await)
        .await?;
    progress
        .step("servers", async |_| Ok(((), services::start(stack).await?)))
        .await?;
    Ok(writer)
}

async fn compile(stack: &Stack, progress: &Progress) -> Result<()> {
    progress
        .step("functions", async |step| {
            Ok(((), build::functions(stack, step).await?))
        })
        .await
}
