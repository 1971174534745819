//! Whether a port is free, and who holds it if it is not.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};

/// Says who holds `port` on loopback: `None` if it is free, else the holder as far as it is known.
pub fn holder(port: u16) -> Option<String> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => None,
        Err(e) if e.kind() == ErrorKind::AddrInUse => {
            Some(process_at(port).unwrap_or_else(|| "a process of another user".into()))
        }
        Err(e) => Some(format!("nobody, but it cannot be opened: {e}")),
    }
}

fn process_at(port: u16) -> Option<String> {
    let inodes = socket_inodes(port);
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let Ok(files) = fs::read_dir(entry.path().join("fd")) else {
            continue;
        };
        let holds = files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|link| {
                inodes
                    .iter()
                    .any(|inode| link.to_string_lossy() == format!("socket:[{inode}]"))
            });
        if holds {
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let short: String = command.trim().chars().take(80).collect();
            return Some(format!("process {pid} (`{short}`)"));
        }
    }
    None
}

/// The sockets at a local port, from the table that proc(5) describes: column 2 is the local
/// address in hexadecimal, column 10 the inode.
fn socket_inodes(port: u16) -> Vec<String> {
    let suffix = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .flat_map(|table| {
            fs::read_to_string(table)
                .unwrap_or_default()
                .lines()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let here = columns.get(1)?.ends_with(&suffix);
            (here && *columns.get(9)? != "0")
                .then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_this_process_and_a_closed_one_is_free() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let named = holder(port).unwrap();
        assert!(named.contains(&std::process::id().to_string()), "{named}");
        drop(listener);
        assert_eq!(holder(port), None);
    }
}
