//! What a drill showed, in words and for programs.

use super::Told;
use local::drill::{Report, Summary};
use serde_json::{Value, json};
use std::time::Duration;

/// What one drill showed.
pub(super) struct Shown {
    pub(super) what: String,
    pub(super) kind: String,
    /// What came of the trouble itself.
    pub(super) words: Option<String>,
    pub(super) during: Vec<Summary>,
    /// From another node's taking over to the first order that was placed and paid.
    pub(super) wrote_again: Option<Duration>,
    /// From the end of the fault until every act was served again.
    pub(super) recovered: Duration,
    /// From the end of the traffic until nothing was left under way.
    pub(super) settled: Option<Duration>,
    pub(super) report: Report,
}

impl Shown {
    pub(super) fn told(&self) -> Told {
        Told {
            violations: self.report.violations.len(),
            text: self.text(),
            json: self.json(),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("\n{}: {}", self.what, self.kind)];
        lines.extend(self.words.iter().map(|words| format!("  {words}")));
        lines.extend(self.during.iter().map(act));
        lines.push(format!(
            "  recovered after {:.1} s, nothing under way {}",
            self.recovered.as_secs_f32(),
            after(self.settled)
        ));
        if let Some(wrote_again) = self.wrote_again {
            let seconds = wrote_again.as_secs_f32();
            lines.push(format!(
                "  first order at the new writer after {seconds:.2} s"
            ));
        }
        lines.extend(checked(&self.report));
        lines.join("\n")
    }

    fn json(&self) -> Value {
        json!({
            "what": self.what,
            "kind": self.kind,
            "words": self.words,
            "wrote_again_s": self.wrote_again.map(|span| span.as_secs_f32()),
            "during": figures(&self.during),
            "recovered_s": self.recovered.as_secs_f32(),
            "settled_s": self.settled.map(|settled| settled.as_secs_f32()),
            "acknowledged": self.report.acknowledged,
            "orders": self.report.orders,
            "charges": self.report.charges,
            "violations": self.report.violations,
        })
    }
}

/// How one act fared.
pub(super) fn act(summary: &Summary) -> String {
    let statuses: Vec<_> = summary
        .statuses
        .iter()
        .map(|(status, count)| format!("{status} × {count}"))
        .collect();
    format!(
        "  {:<8} {:>6.2} % of {:>5} served, p50 {:>5} ms, p99 {:>5} ms   {}",
        summary.act.name(),
        summary.availability(),
        summary.asked,
        summary.p50.as_millis(),
        summary.p99.as_millis(),
        statuses.join(", ")
    )
}

/// The same of every act, for programs.
pub(super) fn figures(summaries: &[Summary]) -> Value {
    let figures = summaries.iter().map(|summary| {
        let figures = json!({
            "asked": summary.asked, "served": summary.served,
            "availability_percent": summary.availability(),
            "p50_ms": summary.p50.as_millis(), "p99_ms": summary.p99.as_millis(),
        });
        (summary.act.name().to_owned(), figures)
    });
    Value::Object(figures.collect())
}

/// When nothing was under way any more.
pub(super) fn after(settled: Option<Duration>) -> String {
    settled.map_or("not in time".to_owned(), |settled| {
        format!("after {:.1} s", settled.as_secs_f32())
    })
}

/// What the checker looked at, and what it found.
pub(super) fn checked(report: &Report) -> Vec<String> {
    let statuses: Vec<_> = report
        .statuses
        .iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    let mut lines = vec![format!(
        "  {} orders acknowledged ({}), {} orders and {} charges checked",
        report.acknowledged,
        statuses.join(", "),
        report.orders,
        report.charges
    )];
    if report.violations.is_empty() {
        lines.push("  no rule was broken".into());
    }
    let broken = report.violations.iter();
    lines.extend(broken.map(|violation| format!("  BROKEN  {violation}")));
    lines
}
