//! The report as people read it.

use super::Report;
use super::cold_start::{ColdStart, Spread};
use super::sizes::{Size, ZIP_BYTES_MAX};
use std::fmt::Write;

/// Everything in lines.
pub(super) fn text(report: &Report) -> String {
    let mut text = format!(
        "\nCold start in ms: medians of {} interleaved spawns with their quartiles, profile {}\n\n",
        report.spawns, report.profile
    );
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        "{:<14} {:<22} {:>24} {:>8} {:>7} {:>24} {:>8}",
        "function", "route", "to the first answer", "x hello", "target", "CPU", "x hello"
    );
    for row in &report.cold_start {
        let _ = writeln!(text, "{}", cold_start(row));
    }
    for reason in &report.left_out {
        let _ = writeln!(text, "not measured: {reason}");
    }
    let _ = writeln!(
        text,
        "\n{:<14} {:>12} {:>12}    at most {:.1} MB",
        "function",
        "program MB",
        "zip MB",
        megabytes(ZIP_BYTES_MAX)
    );
    for row in &report.sizes {
        let _ = writeln!(text, "{}", size(row));
    }
    text
}

fn cold_start(row: &ColdStart) -> String {
    let target = row
        .target
        .map_or_else(String::new, |most| format!("{most:.1}"));
    format!(
        "{:<14} {:<22} {:>24} {:>8.2} {target:>7} {:>24} {:>8.2}",
        row.function,
        row.route,
        spread(&row.wall),
        row.wall_ratio,
        spread(&row.cpu),
        row.cpu_ratio
    )
}

fn spread(spread: &Spread) -> String {
    let [low, high] = spread.quartiles_ms;
    format!("{:.2} ({low:.2} to {high:.2})", spread.median_ms)
}

fn size(row: &Size) -> String {
    let mark = match row.bytes.zip_bytes > ZIP_BYTES_MAX {
        true => "    too large",
        false => "",
    };
    format!(
        "{:<14} {:>12.2} {:>12.2}{mark}",
        row.function,
        megabytes(row.bytes.program_bytes),
        megabytes(row.bytes.zip_bytes)
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "Two decimals are shown of a number of bytes."
)]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
