//! Writes the contract to `docs/openapi.json`.

use anyhow::Context;
use tests::openapi;

fn main() -> anyhow::Result<()> {
    let text = openapi::text()?;
    std::fs::write(openapi::PATH, text).context("docs/openapi.json cannot be written")
}
