//! What the machine must have. Everything missing is said at once, each with its remedy.

use anyhow::{Result, bail};
use local::faults::{self, Dependency};
use local::postgres::Node;
use local::{Port, Stack, ports, process};
use std::path::Path;
use std::process::Command;

/// The first build and the database need this much.
const FREE_GIB_MIN: u64 = 6;
const RUST_MINOR_MIN: u32 = 95;
const PYTHON_MINOR_MIN: u32 = 11;

/// Looks for everything that the later steps use.
///
/// # Errors
/// One message with all that is missing.
pub(crate) fn check(stack: &Stack) -> Result<String> {
    let mut missing: Vec<String> = Vec::new();
    missing.extend(rust());
    missing.extend(python(stack));
    missing.extend(c_compiler());
    missing.extend(disk(stack));
    missing.extend(taken_ports(stack));
    if !missing.is_empty() {
        bail!(
            "This machine lacks something:\n  - {}",
            missing.join("\n  - ")
        );
    }
    Ok("everything needed is here".into())
}

fn rust() -> Option<String> {
    let remedy = format!(
        "Rust 1.{RUST_MINOR_MIN} or newer. Remedy: https://rustup.rs, then `rustup update stable`."
    );
    let both = said("rustc", &["--version"]).zip(said("cargo", &["--version"]));
    let Some((rustc, _)) = both else {
        return Some(remedy);
    };
    let old = minor(&rustc).is_none_or(|minor| minor < RUST_MINOR_MIN);
    old.then(|| format!("{remedy} Found: {}", rustc.trim()))
}

fn python(stack: &Stack) -> Option<String> {
    if local::tools::ready(stack) {
        return None;
    }
    let remedy = format!(
        "Python 3.{PYTHON_MINOR_MIN} or newer with venv and pip. Remedy: apt install python3 python3-venv python3-pip"
    );
    let Some(version) = said("python3", &["--version"]) else {
        return Some(remedy);
    };
    let old = minor(&version).is_none_or(|minor| minor < PYTHON_MINOR_MIN);
    let modules = said("python3", &["-c", "import venv, ensurepip"]);
    (old || modules.is_none()).then(|| format!("{remedy} Found: {}", version.trim()))
}

fn c_compiler() -> Option<String> {
    said("cc", &["--version"])
        .is_none()
        .then(|| "A C compiler (`cc`). Remedy: apt install build-essential".into())
}

fn disk(stack: &Stack) -> Option<String> {
    let free = free_gib(stack.root())?;
    (free < FREE_GIB_MIN).then(|| {
        format!(
            "Disk space: {} has {free} GiB free, {FREE_GIB_MIN} are needed. Remedy: make room, or move the project.",
            stack.root().display()
        )
    })
}

/// The fourth column of `df -P`, in KiB.
fn free_gib(folder: &Path) -> Option<u64> {
    let table = said("df", &["-Pk", folder.to_str()?])?;
    let kib: u64 = table
        .lines()
        .nth(1)?
        .split_whitespace()
        .nth(3)?
        .parse()
        .ok()?;
    Some(kib / (1024 * 1024))
}

fn taken_ports(stack: &Stack) -> Vec<String> {
    let mut wanted = vec![
        (super::services::FRONT, stack.port(Port::Front)),
        (local::aws::NAME, stack.port(Port::Aws)),
        (local::aws::SECONDARY_NAME, stack.port(Port::AwsSecondary)),
        (super::services::PAYMENTS, stack.port(Port::Payments)),
        (local::smtp::NAME, stack.port(Port::Smtp)),
        (faults::NAME, stack.port(Port::Faults)),
    ];
    wanted.extend(Dependency::ALL.map(|dependency| (faults::NAME, stack.port(dependency.port()))));
    wanted.extend(Node::ALL.map(|node| (node.process(), node.port(stack))));
    wanted
        .into_iter()
        .filter(|(name, _)| process::running(stack, name).is_none())
        .filter_map(|(name, port)| ports::holder(port).map(|holder| (name, port, holder)))
        .map(|(name, port, holder)| {
            format!(
                "Port {port} for `{name}`: it is held by {holder}. Remedy: stop that, \
                 or choose other ports: HOLDFAST_PORT_BASE=<first port> cargo holdfast up"
            )
        })
        .collect()
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `rustc 1.95.0 (…)` is 95, `Python 3.11.7` is 11.
fn minor(version: &str) -> Option<u32> {
    version
        .split_whitespace()
        .nth(1)?
        .split('.')
        .nth(1)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_is_read_from_what_programs_say() {
        assert_eq!(minor("rustc 1.95.0 (59807616e 2026-04-14)"), Some(95));
        assert_eq!(minor("Python 3.11.7\n"), Some(11));
        assert_eq!(minor("nothing"), None);
    }

    #[test]
    fn a_taken_port_is_named_with_its_holder_and_a_remedy() {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let root = std::env::temp_dir().join(format!("holdfast-machine-{}", uuid::Uuid::new_v4()));
        let stack = Stack::open(&root, "mine", Some(port)).unwrap();
        let lines = taken_ports(&stack);
        let line = lines
            .iter()
            .find(|line| line.contains(&format!("Port {port} for `front`")))
            .unwrap();
        assert!(
            line.contains(&std::process::id().to_string()) && line.contains("HOLDFAST_PORT_BASE"),
            "{line}"
        );
    }
}
