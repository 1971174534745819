//! The report as people read it.

use super::figures::Figures;
use super::{Cost, Report, Row};
use std::fmt::Write;

/// Everything in lines.
pub(super) fn text(report: &Report) -> String {
    let mut text = format!(
        "\nRequests at once to functions of which every environment has ended, {} rounds, without \
         and with the warmer in turn\n\n",
        report.rounds
    );
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        "{:<10} {:<24} {:>5} {:>8} {:>21} {:>19} {:>19}",
        "", "", "kept", "", "cold starts", "median ms", "p99 ms"
    );
    let _ = writeln!(
        text,
        "{:<10} {:<24} {:>5} {:>8} {:>12} {:>8} {:>10} {:>8} {:>10} {:>8}",
        "function",
        "route",
        "ready",
        "at once",
        "without",
        "with",
        "without",
        "with",
        "without",
        "with"
    );
    for row in &report.functions {
        let _ = writeln!(text, "{}", line(row));
    }
    let lost = report.functions.iter();
    let lost: usize = lost.map(|row| row.without.unknown + row.with.unknown).sum();
    if lost > 0 {
        let _ = writeln!(
            text,
            "{lost} requests are in no share, because their log lines were not found"
        );
    }
    let _ = write!(text, "\n{}", cost(&report.cost));
    text
}

fn line(row: &Row) -> String {
    let (without, with) = (&row.without, &row.with);
    format!(
        "{:<10} {:<24} {:>5} {:>8} {:>12} {:>8} {:>10} {:>8} {:>10} {:>8}",
        row.function,
        row.route,
        row.kept_ready,
        row.at_once,
        share(without),
        share(with),
        number(without.median_ms),
        number(with.median_ms),
        number(without.p99_ms),
        number(with.p99_ms)
    )
}

fn cost(cost: &Cost) -> String {
    format!(
        "A run of the warmer: {} invocations, {:.0} ms of its own, {} ms of those that it warms",
        cost.invocations,
        cost.warmer_ms,
        cost.warm_ups_ms
            .map_or_else(|| "unknown".to_owned(), |sum| format!("{sum:.0}"))
    )
}

fn share(figures: &Figures) -> String {
    let share = figures.cold_start_percent;
    share.map_or_else(|| "?".to_owned(), |share| format!("{share:.0} %"))
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "?".to_owned(), |value| format!("{value:.1}"))
}
