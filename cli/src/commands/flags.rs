//! `flags`: shows and moves the kill switches, as the stack's admin.

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use local::Stack;
use serde::Deserialize;
use serde_json::json;

use crate::seed::Api;

#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// Lists every switch [the default]
    List,
    /// Switches a feature on or off, for every function within a few seconds
    Set {
        /// The switch, as the list names it
        name: String,
        /// How it is to stand
        position: Position,
        /// Why, for whoever asks later
        #[arg(long)]
        reason: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Position {
    On,
    Off,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Flag>,
}

#[derive(Deserialize)]
struct Flag {
    name: String,
    description: String,
    enabled: bool,
    reason: Option<String>,
    updated_at: Option<String>,
}

/// Lists the switches, or moves one.
///
/// # Errors
/// The stack does not run, or the API refuses.
pub(crate) async fn run(stack: &Stack, options: &Options) -> Result<()> {
    let (api, admin) = Api::of_admin(stack).await?;
    match &options.action {
        None | Some(Action::List) => {
            let step = "reading the switches";
            let page: Page = serde_json::from_value(api.get("/admin/flags").await?.body(step)?)?;
            page.items.iter().for_each(print);
        }
        Some(Action::Set {
            name,
            position,
            reason,
        }) => {
            let body = json!({"enabled": *position == Position::On, "reason": reason});
            let api = api.step_up(&admin).await?;
            let answer = api.put(&format!("/admin/flags/{name}"), &body).await?;
            let step = format!("moving the switch {name}");
            print(&serde_json::from_value(answer.body(&step)?)?);
        }
    }
    Ok(())
}

fn print(flag: &Flag) {
    let position = if flag.enabled { "on" } else { "OFF" };
    println!("{:<14} {position:<4} {}", flag.name, flag.description);
    if let (Some(reason), Some(at)) = (&flag.reason, &flag.updated_at) {
        println!("{:<14} since {at}: {reason}", "");
    }
}
