//! What a function's log lines say of cold starts.

use crate::commands::logs;
use anyhow::Result;
use local::Stack;
use serde::Deserialize;

/// The line of a request or of a warm-up (`shared/src/telemetry`).
#[derive(Deserialize)]
struct Line {
    message: String,
    #[serde(rename = "request.id")]
    request_id: Option<String>,
    cold_start: bool,
    duration_ms: f64,
}

/// Lines of one function.
pub(super) struct Lines(Vec<Line>);

impl Lines {
    /// Those since a time, in milliseconds since the epoch.
    ///
    /// # Errors
    /// The emulator is away.
    pub(super) async fn since(stack: &Stack, function: &str, since_ms: i64) -> Result<Self> {
        let lines = logs::lines(stack, function, since_ms).await?;
        Ok(Self::parse(&lines))
    }

    /// What else is in a log has no `cold_start`, or is no JSON.
    fn parse(lines: &[String]) -> Self {
        let lines = lines.iter();
        Self(
            lines
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect(),
        )
    }

    /// Whether a request was its environment's first; unknown without its line.
    pub(super) fn met_cold_start(&self, request_id: &str) -> Option<bool> {
        let mut lines = self.0.iter();
        let line = lines.find(|line| line.request_id.as_deref() == Some(request_id));
        line.map(|line| line.cold_start)
    }

    /// How long each warm-up took.
    pub(super) fn warm_ups_ms(&self) -> Vec<f64> {
        let lines = self.0.iter().filter(|line| line.message == "warm-up");
        lines.map(|line| line.duration_ms).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Lines {
        let request = r#"{"level":"INFO","request.id":"bench-1","trace_id":"t","http.request.method":"GET",
            "http.response.status_code":200,"duration_ms":1.5,"cold_start":true,"message":"request"}"#;
        let later =
            r#"{"request.id":"bench-2","duration_ms":0.4,"cold_start":false,"message":"request"}"#;
        let warm_up = r#"{"duration_ms":301.2,"cold_start":true,"message":"warm-up"}"#;
        let others = [
            "START RequestId: x",
            r#"{"request.id":"bench-3","message":"denied"}"#,
        ];
        let all = [request, later, warm_up].into_iter().chain(others);
        Lines::parse(&all.map(ToOwned::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn line_of_a_request_says_whether_it_met_a_cold_start() {
        let lines = lines();
        assert_eq!(lines.met_cold_start("bench-1"), Some(true));
        assert_eq!(lines.met_cold_start("bench-2"), Some(false));
        assert_eq!(lines.met_cold_start("bench-3"), None);
    }

    #[test]
    fn warm_ups_are_no_requests() {
        assert_eq!(lines().warm_ups_ms(), [301.2]);
    }
}
