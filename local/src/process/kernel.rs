//! What the kernel knows of a process. The only unsafe calls of the project are here.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

/// A signal that stops or wakes a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// SIGTERM.
    Terminate,
    /// SIGINT; PostgreSQL's fast shutdown, while SIGTERM waits for every client to leave.
    Interrupt,
    /// SIGHUP; PostgreSQL reads its configuration again.
    Reload,
    /// SIGKILL.
    Kill,
    /// SIGSTOP; the process stands still, its sockets stay open.
    Freeze,
    /// SIGCONT; it goes on as if nothing had been.
    Thaw,
}

/// Sends a signal. A process that is gone is no error: the caller looks whether it is.
pub fn send(pid: u32, signal: Signal) {
    let number = match signal {
        Signal::Terminate => libc::SIGTERM,
        Signal::Interrupt => libc::SIGINT,
        Signal::Reload => libc::SIGHUP,
        Signal::Kill => libc::SIGKILL,
        Signal::Freeze => libc::SIGSTOP,
        Signal::Thaw => libc::SIGCONT,
    };
    let Ok(pid) = i32::try_from(pid) else { return };
    #[expect(
        unsafe_code,
        reason = "The standard library signals only children of this process."
    )]
    // SAFETY: kill(2) takes two integers and touches no memory of ours.
    unsafe {
        libc::kill(pid, number);
    }
}

/// Ends a child and says how much CPU time it has had, user and system together.
///
/// # Errors
/// It is no child of this process any more.
pub fn end_and_measure(mut child: Child) -> io::Result<Duration> {
    child.kill()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    #[expect(
        unsafe_code,
        reason = "The standard library waits for a child without asking what it has used."
    )]
    // SAFETY: all zeros are a valid rusage, which wait4(2) fills; the child has not been waited for,
    // so that its id cannot be another process's.
    let (ended, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        let ended = libc::wait4(pid, std::ptr::null_mut(), 0, &raw mut usage);
        (ended, usage)
    };
    if ended != pid {
        return Err(io::Error::last_os_error());
    }
    Ok(duration(usage.ru_utime) + duration(usage.ru_stime))
}

fn duration(time: libc::timeval) -> Duration {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let micros = u64::try_from(time.tv_usec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}

/// Lets this process open as many files as the system allows it. Where that fails it stays as it is.
pub fn raise_open_files() {
    #[expect(
        unsafe_code,
        reason = "The standard library has no call for a process's limits."
    )]
    // SAFETY: all zeros are a valid rlimit, which getrlimit(2) fills and setrlimit(2) only reads.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Makes the command lead a session of its own, so that neither the terminal's end nor Ctrl-C
/// reaches it, and its descendants can be recognised.
pub(super) fn in_own_session(command: &mut Command) {
    #[expect(
        unsafe_code,
        reason = "The standard library has no stable call for setsid(2)."
    )]
    // SAFETY: setsid(2) is async-signal-safe, and nothing is allocated between fork and exec.
    unsafe {
        command.pre_exec(|| {
            if libc::setsid() == -1 {
                Err(io::Error::last_os_error())
            } else {
                Ok(())
            }
        });
    }
}

/// What tells a process from a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) started_ticks: u64,
    pub(super) ended: bool,
    pub(super) frozen: bool,
    session: u32,
}

impl Identity {
    pub(super) fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Fields as in proc(5). The second, the program's name, may itself hold spaces and brackets.
    fn parse(stat: &str) -> Option<Self> {
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        Some(Self {
            ended: matches!(*fields.first()?, "Z" | "X"),
            frozen: *fields.first()? == "T",
            session: fields.get(3)?.parse().ok()?,
            started_ticks: fields.get(19)?.parse().ok()?,
        })
    }
}

/// Changes at every start of the machine, when start times begin anew.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .into()
}

/// The live processes of a session that have `folder`, or something in it, in their environment.
pub(super) fn session_members(session: u32, folder: &Path) -> Vec<u32> {
    live(|pid| {
        Identity::of(pid).is_some_and(|process| process.session == session)
            && variables(pid)
                .iter()
                .filter_map(|variable| variable.split_once('='))
                .any(|(_, value)| Path::new(value).starts_with(folder))
    })
}

/// The live processes that work somewhere in `folder` and have `variable`, a name and its value, in
/// their environment.
pub(super) fn with_variable(folder: &Path, variable: &str) -> Vec<u32> {
    live(|pid| {
        working_folder(pid).is_some_and(|cwd| cwd.starts_with(folder))
            && variables(pid).iter().any(|present| present == variable)
    })
}

/// The live processes of a program whose working folder is `folder`.
pub(super) fn working_in(folder: &Path, program: &str) -> Vec<u32> {
    live(|pid| {
        working_folder(pid).is_some_and(|cwd| cwd == folder)
            && fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|name| name.trim() == program)
    })
}

fn live(wanted: impl Fn(u32) -> bool) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| wanted(*pid) && Identity::of(*pid).is_some_and(|process| !process.ended))
        .collect()
}

fn working_folder(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

fn variables(pid: u32) -> Vec<String> {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let text = String::from_utf8_lossy(&environment);
    text.split('\0').map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 40 41 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1";
        let identity = Identity::parse(stat).unwrap();
        assert_eq!(
            (identity.session, identity.started_ticks, identity.ended),
            (41, 987_654, false)
        );
    }

    #[test]
    fn a_child_that_works_has_used_cpu_time() {
        let mut child = Command::new("sh")
            .args([
                "-c",
                "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo; read _",
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut done = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut done).unwrap();
        let used = end_and_measure(child).unwrap();
        assert!(used > Duration::from_millis(1), "{used:?}");
    }

    #[test]
    fn this_process_is_known_and_alive() {
        let identity = Identity::of(std::process::id()).unwrap();
        assert!(!identity.ended && identity.started_ticks > 0);
    }
}
