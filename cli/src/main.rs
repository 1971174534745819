//! The command line of Holdfast, called as `cargo holdfast …`.
#![expect(
    clippy::print_stdout,
    reason = "Printing is what a command line is for."
)]

mod commands;
mod emulator;
mod progress;
mod project;
mod seed;
mod steps;

use clap::{Parser, Subcommand};
use commands::{bench, down, logs, mail, serve, status, up};
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "holdfast",
    bin_name = "cargo holdfast",
    about = "Runs and tends Holdfast.",
    version
)]
struct Arguments {
    /// The local stack to work on; several can run side by side
    #[arg(long, global = true, env = "HOLDFAST_STACK", default_value = "default")]
    stack: String,
    /// The first port of the stack; it uses this one and the next 13
    #[arg(long, global = true, env = "HOLDFAST_PORT_BASE", hide = true)]
    port_base: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the whole local stack, or what of it is missing, and deploys the application to it
    Up,
    /// Stops what `up` started
    Down(down::Options),
    /// Shows the processes, addresses and accounts of the stack
    Status(status::Options),
    /// Shows the log lines of the functions, or of one function or process
    Logs(logs::Options),
    /// Lists the mails that were sent, or shows one
    Mail(mail::Options),
    /// Measures cold starts against a bare hello-world, and the sizes of the functions
    Bench(bench::Options),
    /// Runs one of the long-lived servers of the stack
    #[command(hide = true)]
    Serve(serve::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let stack = project::open_stack(&arguments.stack, arguments.port_base)?;
    match arguments.command {
        Command::Up => up::run(&stack).await,
        Command::Down(options) => down::run(&stack, &options).await,
        Command::Status(options) => status::run(&stack, &options).await,
        Command::Logs(options) => logs::run(&stack, &options).await,
        Command::Mail(options) => mail::run(&stack, &options).await,
        Command::Bench(options) => bench::run(&stack, &options).await,
        Command::Serve(options) => serve::run(&stack, &options).await,
    }
}
