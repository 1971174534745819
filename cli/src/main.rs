//! The command line of Holdfast, called as `cargo holdfast …`.
#![expect(
    clippy::print_stdout,
    reason = "Printing is what a command line is for."
)]
#![expect(
    clippy::disallowed_methods,
    reason = "A command ends with its process, and reads the environment of the person who calls it."
)]

mod cells;
mod commands;
mod emulator;
mod progress;
mod project;
mod seed;
mod steps;

use clap::{Parser, Subcommand};
use commands::{
    bench, check, db, dlq, down, drill, events, fault, flags, jobs, logs, mail, openapi, rotate,
};
use commands::{serve, status, test, totp, up};
use local::Stack;
use std::process::ExitCode;

#[derive(Parser)]
#[command(
    name = "holdfast",
    bin_name = "cargo holdfast",
    about = "Runs and tends Holdfast.",
    version
)]
struct Arguments {
    /// The local stack to work on; several can run side by side [default: default, or test for
    /// `test`]
    #[arg(long, global = true, env = "HOLDFAST_STACK")]
    stack: Option<String>,
    /// The first port of the stack; it uses this one and the next 33
    #[arg(long, global = true, env = "HOLDFAST_PORT_BASE", hide = true)]
    port_base: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts the whole local stack, or what of it is missing, and deploys the application to it
    Up(up::Options),
    /// Stops what `up` started
    Down(down::Options),
    /// Shows the processes, addresses and accounts of the stack
    Status(status::Options),
    /// Shows the log lines of the functions, or of one function or process
    Logs(logs::Options),
    /// Lists the mails that were sent, or shows one
    Mail(mail::Options),
    /// Shows the database's nodes, or makes one fail, take over or come back
    Db(db::Options),
    /// Shows what consumers gave up, and replays or discards it
    Dlq(dlq::Options),
    /// Sends events of the journal again
    Events(events::Options),
    /// Shows the kill switches, or moves one
    Flags(flags::Options),
    /// Shows the scheduled jobs, or the latest runs of one
    Jobs(jobs::Options),
    /// Prints the code of the admin's second factor; each is good once
    Totp,
    /// Changes the signing keys, or database logins, by Secrets Manager's rotation
    Rotate(rotate::Options),
    /// Lets a dependency fail or heals it; without arguments, lists the faults in force
    Fault(fault::Options),
    /// Lets customers come and go while something is away, and checks what became of every order
    Drill(drill::Options),
    /// Runs every test against a stack of its own, which is gone afterwards
    Test(test::Options),
    /// Writes docs/openapi.json from the code
    Openapi,
    /// Checks before a deployment: configuration of every function, template, connections, schema
    Check(check::Options),
    /// Measures cold starts against a bare hello-world, and the sizes of the functions; or what the
    /// warmer is good for
    Bench(bench::Options),
    /// Runs one of the long-lived servers of the stack
    #[command(hide = true)]
    Serve(serve::Options),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let stack = open_stack(&arguments)?;
    match arguments.command {
        Command::Test(options) => return test::run(&stack, &options).await,
        Command::Up(options) => up::run(&stack, &options).await,
        Command::Down(options) => down::run(&stack, &options).await,
        Command::Status(options) => status::run(&stack, &options).await,
        Command::Logs(options) => logs::run(&stack, &options).await,
        Command::Mail(options) => mail::run(&stack, &options).await,
        Command::Db(options) => db::run(&stack, &options).await,
        Command::Dlq(options) => dlq::run(&stack, &options).await,
        Command::Events(options) => events::run(&stack, &options).await,
        Command::Flags(options) => flags::run(&stack, &options).await,
        Command::Jobs(options) => jobs::run(&stack, &options).await,
        Command::Totp => totp::run(&stack),
        Command::Rotate(options) => rotate::run(&stack, &options).await,
        Command::Fault(options) => fault::run(&stack, &options).await,
        Command::Drill(options) => drill::run(&stack, &options).await,
        Command::Openapi => openapi::run(&stack).await,
        Command::Check(options) => check::run(&stack, &options).await,
        Command::Bench(options) => bench::run(&stack, &options).await,
        Command::Serve(options) => serve::run(&stack, &options).await,
    }
    .map(|()| ExitCode::SUCCESS)
}

fn open_stack(arguments: &Arguments) -> anyhow::Result<Stack> {
    if let Some(name) = &arguments.stack {
        return project::open_stack(name, arguments.port_base);
    }
    match arguments.command {
        // Beside the stack that the variable moves, as the documented ports are.
        Command::Test(_) => {
            let port_base = arguments.port_base.map(|base| base.saturating_add(100));
            project::open_stack(test::STACK, port_base)
        }
        _ => project::open_stack("default", arguments.port_base),
    }
}
