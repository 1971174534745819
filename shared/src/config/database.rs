//! Where the database is, and how many connections may go there.

use std::time::Duration;

use super::Reader;

/// Where the database is. Hosts are candidates; the role of each is discovered.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    /// At least one node, in order of preference.
    pub hosts: Vec<DatabaseHost>,
    /// The database's name.
    pub name: String,
    /// Whether connections are encrypted and the server's name is checked.
    pub tls: bool,
    /// The name of the secret with the function's login.
    pub secret_id: String,
    /// Connections per environment and node.
    pub pool_max: u32,
    /// How long a connection may be idle.
    pub pool_idle: Duration,
    /// How long one attempt to get a connection may take.
    pub connect_timeout: Duration,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseHost {
    /// Name or address.
    pub host: String,
    /// Port, 5432 by default.
    pub port: u16,
}

impl DatabaseConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            hosts: hosts(reader),
            name: reader.text_or("DB_NAME", "holdfast"),
            tls: tls(reader),
            secret_id: reader.database_secret_id(),
            pool_max: reader.positive("PG_POOL_MAX", 2),
            pool_idle: Duration::from_secs(reader.number("PG_POOL_IDLE", 300)),
            connect_timeout: Duration::from_millis(
                reader.positive("PG_CONN_TIMEOUT", 1_000).into(),
            ),
        }
    }
}

fn tls(reader: &mut Reader) -> bool {
    match reader.text_or("DB_SSLMODE", "verify-full").as_str() {
        "verify-full" => true,
        "disable" if reader.is_production() => {
            reader.fault(
                "DB_SSLMODE",
                "must be verify-full in production: nothing goes to the database in plain text",
            );
            false
        }
        "disable" => false,
        _ => {
            reader.fault(
                "DB_SSLMODE",
                "must be verify-full, or disable on a local stack",
            );
            true
        }
    }
}

fn hosts(reader: &mut Reader) -> Vec<DatabaseHost> {
    let faults_before = reader.faults.len();
    let mut listed = reader.list("DB_HOSTS");
    for name in ["DB_HOST_PRIMARY", "DB_HOST_REPLICA", "DB_HOST_FALLBACK"] {
        listed.extend(reader.given(name));
    }
    if listed.is_empty() && reader.faults.len() == faults_before {
        reader.fault(
            "DB_HOSTS",
            "is missing (or DB_HOST_PRIMARY, DB_HOST_REPLICA, DB_HOST_FALLBACK)",
        );
    }
    let mut hosts: Vec<DatabaseHost> = Vec::new();
    for text in listed {
        let (host, port) = text.rsplit_once(':').unwrap_or((&text, "5432"));
        let Ok(port) = port.parse() else {
            reader.fault(
                "DB_HOSTS",
                format_args!("has {text:?}, which is not host or host:port"),
            );
            continue;
        };
        reader.check_host("DB_HOSTS", host);
        let host = DatabaseHost {
            host: host.to_owned(),
            port,
        };
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}
