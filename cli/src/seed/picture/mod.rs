//! The drawn pictures of the sample catalogue: a motif per category, in the
//! colour of the product, before a calm backdrop.

mod canvas;
mod palette;
mod path;

use std::collections::BTreeMap;
use std::io::Cursor;

use anyhow::{Context, Result};
use image::ImageFormat;
use serde::Deserialize;

use self::canvas::Canvas;
use self::palette::Palette;
use self::path::Point;

/// Width and height in pixels.
pub(super) const SIZE: (u32, u32) = (640, 480);

/// What a picture is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drawing {
    /// A name in `catalogue/motifs.json`.
    pub(super) motif: String,
    /// `#RRGGBB`.
    pub(super) colour: String,
    /// Chooses the backdrop.
    pub(super) number: u64,
}

/// The motifs by name.
pub(super) struct Motifs(BTreeMap<String, Vec<Shape>>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    d: Option<String>,
    ellipse: Option<[f32; 4]>,
    stroke: Option<f32>,
    fill: String,
}

impl Motifs {
    /// Reads the motifs.
    ///
    /// # Errors
    /// The data file is damaged.
    pub(super) fn read() -> Result<Self> {
        serde_json::from_str(include_str!("../catalogue/motifs.json"))
            .map(Self)
            .context("catalogue/motifs.json cannot be read")
    }

    /// Draws a picture and answers it as a PNG.
    ///
    /// # Errors
    /// The motif or one of its colours is not known.
    pub(super) fn draw(&self, drawing: &Drawing) -> Result<Vec<u8>> {
        let motif = self
            .0
            .get(&drawing.motif)
            .context("there is no such motif")?;
        let colour = palette::parse(&drawing.colour).context("a colour is #RRGGBB")?;
        let palette = Palette::of(colour, drawing.number);
        let (top, bottom) = palette.background();
        let mut canvas = Canvas::with_gradient(SIZE, top, bottom);
        let decoration = decoration(drawing.number);
        canvas.fill(&decoration, palette.decoration(), 1.0);
        let shadow = Shape {
            d: None,
            ellipse: Some([100.0, 170.0, 92.0, 9.0]),
            stroke: None,
            fill: "shadow".to_owned(),
        };
        for shape in std::iter::once(&shadow).chain(motif) {
            let (colour, opacity) = palette.role(&shape.fill).context("no such colour")?;
            canvas.fill(&shape.outlines(), colour, opacity);
        }
        let mut png = Cursor::new(Vec::new());
        canvas.into_image().write_to(&mut png, ImageFormat::Png)?;
        Ok(png.into_inner())
    }
}

impl Shape {
    fn outlines(&self) -> Vec<Vec<Point>> {
        let mut outlines = self.d.as_deref().map(path::parse).unwrap_or_default();
        if let Some([x, y, rx, ry]) = self.ellipse {
            outlines.push(path::ellipse((x, y), (rx, ry)));
        }
        if let Some(width) = self.stroke {
            outlines = outlines
                .iter()
                .flat_map(|line| path::stroke(line, width))
                .collect();
        }
        for point in outlines.iter_mut().flatten() {
            *point = (point.0 * 2.0 + 120.0, point.1 * 2.0 + 44.0);
        }
        outlines
    }
}

/// What stands behind the motif: a disc, an arch, hills, or a window.
fn decoration(number: u64) -> Vec<Vec<Point>> {
    match number % 4 {
        0 => vec![path::ellipse((320.0, 232.0), (196.0, 196.0))],
        1 => path::parse("M150 480 L150 220 C150 -20 490 -20 490 220 L490 480 Z"),
        2 => path::parse(
            "M0 330 C120 250 220 270 330 320 C440 370 540 290 640 300 L640 480 L0 480 Z",
        ),
        _ => path::parse("M110 60 L530 60 L530 384 L110 384 Z"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_motif_can_be_drawn_is_small_and_decodes() {
        let motifs = Motifs::read().unwrap();
        assert!(motifs.0.len() >= 20);
        for (number, motif) in (0..).zip(motifs.0.keys()) {
            let drawing = Drawing {
                motif: motif.clone(),
                colour: "#3F7A96".to_owned(),
                number,
            };
            let png = motifs.draw(&drawing).unwrap();
            assert!(png.len() <= 60_000, "{motif}: {} bytes", png.len());
            let image = image::load_from_memory(&png).unwrap();
            assert_eq!((image.width(), image.height()), SIZE);
        }
    }

    #[test]
    fn motifs_use_only_known_path_commands() {
        for shape in Motifs::read().unwrap().0.values().flatten() {
            let data = shape.d.as_deref().unwrap_or_default();
            let known = |c: char| " .-0123456789MLQCZ".contains(c);
            assert!(data.chars().all(known), "{data}");
        }
    }

    #[test]
    fn another_colour_gives_another_picture() {
        let motifs = Motifs::read().unwrap();
        let draw = |colour: &str| {
            let drawing = Drawing {
                motif: "mug".to_owned(),
                colour: colour.to_owned(),
                number: 0,
            };
            motifs.draw(&drawing).unwrap()
        };
        assert_eq!(draw("#3F7A96"), draw("#3F7A96"));
        assert_ne!(draw("#3F7A96"), draw("#C8704D"));
    }
}
