//! One local stack: its name, its folder and its ports. Several can live side by side.

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The stage that a local stack is deployed as. Each stack has an emulator of its own, so that the
/// same names in two stacks do not meet.
pub const STAGE: &str = "local";

/// Where a service listens, as a distance from the stack's first port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Port {
    /// The API's one address.
    Front = 0,
    /// The AWS emulator.
    Aws = 1,
    /// The payment sandbox.
    Payments = 2,
    /// The SMTP sink.
    Smtp = 3,
    /// The AWS emulator that plays the other region.
    AwsSecondary = 4,
    /// The control of the fault proxy.
    Faults = 5,
    /// The first PostgreSQL node.
    Primary = 11,
    /// The second PostgreSQL node.
    Replica = 12,
    /// The third PostgreSQL node.
    Fallback = 13,
    /// DynamoDB, by way of the fault proxy.
    FaultsDynamoDb = 20,
    /// SQS, by way of the fault proxy.
    FaultsSqs = 21,
    /// S3, by way of the fault proxy.
    FaultsS3 = 22,
    /// Secrets Manager, by way of the fault proxy.
    FaultsSecretsManager = 23,
    /// The payment sandbox, by way of the fault proxy.
    FaultsPayments = 24,
    /// SES, by way of the fault proxy.
    FaultsMail = 25,
    /// The SMTP sink, by way of the fault proxy.
    FaultsMailSecondary = 26,
    /// Secrets Manager of the second region, by way of the fault proxy.
    FaultsSecretsManagerSecondary = 27,
    /// The first PostgreSQL node, by way of the fault proxy.
    FaultsPrimary = 31,
    /// The second PostgreSQL node, by way of the fault proxy.
    FaultsReplica = 32,
    /// The third PostgreSQL node, by way of the fault proxy.
    FaultsFallback = 33,
}

/// One local stack. Cheap to clone; touches the disk only where a method says so.
#[derive(Clone, Debug)]
pub struct Stack {
    name: String,
    root: PathBuf,
    port_base: u16,
}

impl Stack {
    /// Opens the stack `name` of the project at `root`. The first port is `port_base`, else the one
    /// that the stack was started with, else one that its name gives.
    ///
    /// # Errors
    /// A name that is no folder name, or a first port that leaves no room.
    pub fn open(root: &Path, name: &str, port_base: Option<u16>) -> Result<Self> {
        let well_formed = name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !well_formed || !(1..=24).contains(&name.len()) || name == "venv" {
            bail!("`{name}` cannot name a stack: use 1 to 24 of a-z, 0-9 and -.");
        }
        let mut stack = Self {
            name: name.into(),
            root: root.into(),
            port_base: 0,
        };
        stack.port_base = port_base
            .or_else(|| stack.remembered_port_base())
            .unwrap_or_else(|| port_base_of(name));
        if !(1024..=65_500).contains(&stack.port_base) {
            bail!(
                "HOLDFAST_PORT_BASE must lie between 1024 and 65500, not {}.",
                stack.port_base
            );
        }
        Ok(stack)
    }

    /// The stack's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The project's folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder with everything that this stack keeps.
    pub fn folder(&self) -> PathBuf {
        self.root.join(".holdfast").join(&self.name)
    }

    /// A file or folder of this stack.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.folder().join(relative)
    }

    /// The log of one of the stack's processes.
    pub fn log(&self, process: &str) -> PathBuf {
        self.folder().join("logs").join(format!("{process}.log"))
    }

    /// The virtual environment of the pinned Python tools, shared by all stacks.
    pub fn venv(&self) -> PathBuf {
        self.root.join(".holdfast").join("venv")
    }

    /// A program of the virtual environment.
    pub fn tool(&self, program: &str) -> PathBuf {
        self.venv().join("bin").join(program)
    }

    /// The port of one service.
    pub fn port(&self, port: Port) -> u16 {
        self.port_base + port as u16
    }

    /// The origin of one service that speaks HTTP.
    pub fn url(&self, port: Port) -> String {
        format!("http://127.0.0.1:{}", self.port(port))
    }

    /// Makes the stack's folder, for its owner alone, and remembers the ports in it.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn create_folder(&self) -> Result<()> {
        for folder in ["run", "logs"] {
            let folder = self.path(folder);
            fs::create_dir_all(&folder)
                .with_context(|| format!("Cannot make {}.", folder.display()))?;
        }
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(self.folder(), private)?;
        write_private(
            &self.path("port-base"),
            self.port_base.to_string().as_bytes(),
        )
    }

    /// Reads one of the stack's JSON files; `None` if it is not there.
    ///
    /// # Errors
    /// The file is there and cannot be understood.
    pub fn read_json<T: DeserializeOwned>(&self, relative: &str) -> Result<Option<T>> {
        let path = self.path(relative);
        let Ok(text) = fs::read(&path) else {
            return Ok(None);
        };
        serde_json::from_slice(&text).map(Some).with_context(|| {
            format!(
                "{} is damaged. `cargo holdfast down --wipe` starts afresh.",
                path.display()
            )
        })
    }

    /// Writes one of the stack's JSON files, readable by its owner alone.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_json<T: Serialize>(&self, relative: &str, value: &T) -> Result<()> {
        write_private(&self.path(relative), &serde_json::to_vec_pretty(value)?)
    }

    fn remembered_port_base(&self) -> Option<u16> {
        fs::read_to_string(self.path("port-base"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }
}

/// Replaces a file at once, so that a reader sees the old text or the new, and never part of one.
///
/// # Errors
/// The file cannot be written.
pub fn write_private(path: &Path, text: &[u8]) -> Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .with_context(|| format!("Cannot write {}.", unfinished.display()))?;
    file.write_all(text)?;
    fs::rename(&unfinished, path).with_context(|| format!("Cannot write {}.", path.display()))
}

/// A first port for each name: fixed for the two that everybody uses, spread out for others. All lie
/// below 32768, where Linux begins to give ports to outgoing connections.
fn port_base_of(name: &str) -> u16 {
    match name {
        "default" => 27_800,
        "test" => 27_900,
        _ => {
            let sum = name
                .bytes()
                .fold(7_u16, |sum, b| sum.wrapping_mul(31).wrapping_add(b.into()));
            28_000 + (sum % 100) * 40
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> PathBuf {
        let folder = std::env::temp_dir().join(format!("holdfast-stack-{}", uuid::Uuid::new_v4()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn default_and_test_stacks_have_the_documented_ports() {
        let root = scratch();
        let default = Stack::open(&root, "default", None).unwrap();
        assert_eq!(default.port(Port::Front), 27_800);
        assert_eq!(default.port(Port::Fallback), 27_813);
        assert_eq!(
            Stack::open(&root, "test", None).unwrap().url(Port::Aws),
            "http://127.0.0.1:27901"
        );
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_stack_started_elsewhere_is_found_again_without_the_variable() {
        let root = scratch();
        Stack::open(&root, "mine", Some(50_000))
            .unwrap()
            .create_folder()
            .unwrap();
        assert_eq!(
            Stack::open(&root, "mine", None).unwrap().port(Port::Smtp),
            50_003
        );
        fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in ["", "..", "a/b", "venv", "Größe", &"x".repeat(25)] {
            assert!(
                Stack::open(Path::new("/tmp"), name, None).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn a_private_file_is_replaced_whole_and_readable_by_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let root = scratch();
        let file = root.join("secret.json");
        write_private(&file, b"first, and longer").unwrap();
        write_private(&file, b"second").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"second");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::remove_dir_all(root).unwrap();
    }
}
