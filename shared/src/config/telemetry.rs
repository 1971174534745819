//! Where traces go. What sends them is still to come; until then this is checked and not used.

use tracing_subscriber::EnvFilter;

use super::Reader;

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// The OTLP endpoint.
    pub endpoint: Option<String>,
    /// The one that gets the traces while the first is away.
    pub secondary_endpoint: Option<String>,
}

const FIRST: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SECOND: &str = "OTEL_EXPORTER_OTLP_SECONDARY_ENDPOINT";

impl TelemetryConfig {
    pub(super) fn read(reader: &mut Reader) -> Self {
        // Telemetry reads it itself, before there is a configuration, and takes a bad one for `info`.
        if let Some(level) = reader.given("LOG_LEVEL")
            && level.parse::<EnvFilter>().is_err()
        {
            reader.fault(
                "LOG_LEVEL",
                format_args!("must be a filter like info or info,sqlx=debug, not {level:?}"),
            );
        }
        let [endpoint, secondary_endpoint] = [FIRST, SECOND].map(|name| {
            let endpoint = reader.url_if_given(name);
            if endpoint.is_none() && reader.is_production() {
                reader.fault(
                    name,
                    "is missing: in production traces have two places to go to",
                );
            }
            endpoint
        });
        if endpoint.is_some() && endpoint == secondary_endpoint {
            reader.fault(SECOND, "is the same as the first: name another one");
        }
        if endpoint.is_none() && secondary_endpoint.is_some() && !reader.is_production() {
            reader.fault(FIRST, format_args!("is missing beside {SECOND}"));
        }
        Self {
            endpoint,
            secondary_endpoint,
        }
    }
}
