//! `status`: what runs, where, and who can sign in.

use crate::commands::fault;
use crate::steps::accounts::{self, Accounts};
use crate::steps::services::{FRONT, PAYMENTS};
use crate::steps::summary::{console_url, docs_url};
use anyhow::Result;
use clap::Args;
use local::postgres::{Node, data_folder};
use local::{Port, Stack, aws, faults, process, smtp};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Args)]
pub(crate) struct Options {
    /// Prints one JSON object and nothing else
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Status {
    api_url: String,
    docs_url: String,
    console_url: String,
    aws_endpoint_url: String,
    aws_secondary_endpoint_url: String,
    payments_url: String,
    faults_url: String,
    smtp: Address,
    database: BTreeMap<&'static str, NodeStatus>,
    processes: BTreeMap<String, u32>,
    accounts: Option<Accounts>,
}

#[derive(Serialize)]
struct Address {
    host: &'static str,
    port: u16,
}

#[derive(Serialize)]
struct NodeStatus {
    host: &'static str,
    port: u16,
    pid: Option<u32>,
    data_dir: PathBuf,
}

const LOOPBACK: &str = "127.0.0.1";

/// Prints the stack's state.
///
/// # Errors
/// A file of the stack is damaged.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    if options.json {
        println!("{}", json(stack)?);
        return Ok(());
    }
    let status = collect(stack)?;
    print_table(stack, &status).await;
    Ok(())
}

/// The stack's state as one JSON object.
///
/// # Errors
/// A file of the stack is damaged.
pub(crate) fn json(stack: &Stack) -> Result<String> {
    Ok(serde_json::to_string_pretty(&collect(stack)?)?)
}

fn collect(stack: &Stack) -> Result<Status> {
    let pid = |name: &str| process::running(stack, name).map(|record| record.pid);
    let database = Node::ALL.map(|node| {
        let status = NodeStatus {
            host: LOOPBACK,
            port: node.port(stack),
            pid: pid(node.process()),
            data_dir: data_folder(stack, node),
        };
        (node.name(), status)
    });
    let processes = process::recorded_names(stack)
        .into_iter()
        .filter_map(|name| Some((name.clone(), pid(&name)?)));
    Ok(Status {
        api_url: stack.url(Port::Front),
        docs_url: docs_url(stack),
        console_url: console_url(stack),
        aws_endpoint_url: stack.url(Port::Aws),
        aws_secondary_endpoint_url: stack.url(Port::AwsSecondary),
        payments_url: stack.url(Port::Payments),
        faults_url: stack.url(Port::Faults),
        smtp: Address {
            host: LOOPBACK,
            port: stack.port(Port::Smtp),
        },
        database: database.into(),
        processes: processes.collect(),
        accounts: accounts::read(stack)?,
    })
}

async fn print_table(stack: &Stack, status: &Status) {
    println!(
        "{:<20} {:>8}  address",
        format!("stack `{}`", stack.name()),
        "process"
    );
    let servers = [
        (FRONT, status.api_url.clone()),
        (aws::NAME, status.aws_endpoint_url.clone()),
        (
            aws::SECONDARY_NAME,
            status.aws_secondary_endpoint_url.clone(),
        ),
        (PAYMENTS, status.payments_url.clone()),
        (smtp::NAME, format!("{LOOPBACK}:{}", status.smtp.port)),
        (faults::NAME, status.faults_url.clone()),
    ];
    for (name, address) in servers {
        println!(
            "{name:<20} {:>8}  {address}",
            shown(status.processes.get(name).copied())
        );
    }
    for node in Node::ALL {
        let Some(at) = status.database.get(node.name()) else {
            continue;
        };
        let role = role(stack, node).await;
        println!(
            "{:<20} {:>8}  {}:{} {role}",
            node.process(),
            shown(at.pid),
            at.host,
            at.port
        );
    }
    print_faults(stack).await;
    println!(
        "\ndata of the nodes    {}",
        local::postgres::data_root(stack).display()
    );
    println!("logs                 {}", stack.path("logs").display());
    let Some(accounts) = &status.accounts else {
        return;
    };
    println!("docs page            {}", status.docs_url);
    println!("console              {}\n", status.console_url);
    for (role, account) in [
        ("admin", &accounts.admin),
        ("seller", &accounts.seller),
        ("customer", &accounts.customer),
    ] {
        println!("{role:<20} {}  {}", account.email, account.password);
    }
    println!("{:<20} cargo holdfast totp", "the admin's codes");
}

/// Nothing when there is none, or the fault proxy is not there to ask.
async fn print_faults(stack: &Stack) {
    for fault in fault::in_force(stack).await.unwrap_or_default() {
        println!("{:<20} {}", "fault in force", fault::line(&fault));
    }
}

fn shown(pid: Option<u32>) -> String {
    pid.map_or_else(|| "stopped".into(), |pid| pid.to_string())
}

/// What a node is now, whatever it is called.
async fn role(stack: &Stack, node: Node) -> &'static str {
    match local::postgres::role(stack, node).await {
        Some(role) if role.accepts_writes => "(accepts writes)",
        Some(_) => "(standby)",
        None => "(does not answer)",
    }
}
