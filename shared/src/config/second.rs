//! Second endpoints: where secrets are read and mail is sent while the first one is away.

use super::Reader;

/// The other region of Secrets Manager, which holds replicas under the same names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretsReplica {
    /// The region.
    pub region: String,
    /// Its endpoint, if not AWS's own.
    pub endpoint_url: Option<String>,
}

/// The second mail provider, which speaks SMTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Smtp {
    /// The server's name, which its certificate must show.
    pub host: String,
    /// 465 means TLS from the first byte; at any other port STARTTLS is demanded.
    pub port: u16,
    /// The secret with `username` and `password`; without one nobody signs in.
    pub secret_id: Option<String>,
    /// Whether the connection is encrypted. Only a local stack does without.
    pub tls: bool,
}

impl SecretsReplica {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let region = reader.given("SECRETS_SECONDARY_REGION");
        let endpoint_url = reader.url_if_given("SECRETS_SECONDARY_ENDPOINT_URL");
        if endpoint_url.is_some() && reader.is_production() {
            reader.fault(
                "SECRETS_SECONDARY_ENDPOINT_URL",
                "is a local stack's: leave it out in production",
            );
        }
        if region.is_none() && endpoint_url.is_some() {
            reader.fault(
                "SECRETS_SECONDARY_REGION",
                "is missing beside SECRETS_SECONDARY_ENDPOINT_URL",
            );
        }
        if region.is_some() && region == reader.peek("AWS_REGION") {
            reader.fault(
                "SECRETS_SECONDARY_REGION",
                "is the function's own region: name another one",
            );
        }
        Some(Self {
            region: region?,
            endpoint_url,
        })
    }
}

impl Smtp {
    /// The port for mail submission (RFC 6409).
    const SUBMISSION: u16 = 587;

    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let host = reader.given("SMTP_HOST");
        let port = reader.number("SMTP_PORT", Self::SUBMISSION);
        let host = host?;
        reader.check_host("SMTP_HOST", &host);
        Some(Self {
            host,
            port,
            secret_id: None,
            tls: !reader.stage().is_local(),
        })
    }
}
