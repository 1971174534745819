//! Pixels: fills outlines with smooth edges.

use std::ops::Range;

use image::RgbImage;

use super::palette::{Colour, mix};
use super::path::Point;

/// Lines that each row of pixels is sampled at.
const SAMPLES: u8 = 4;

/// Where crossings of a sample line lie, and which way the outline goes there.
type Crossing = (f32, i32);

/// A picture being painted.
pub(super) struct Canvas {
    pixels: RgbImage,
    /// Change of coverage from one pixel of a row to the next.
    change: Vec<f32>,
}

impl Canvas {
    /// A canvas whose rows fade from one colour to another.
    pub(super) fn with_gradient(size: (u32, u32), top: Colour, bottom: Colour) -> Self {
        let mut pixels = RgbImage::new(size.0, size.1);
        let row_bytes = size.0 as usize * 3;
        for (y, row) in pixels.chunks_exact_mut(row_bytes).enumerate() {
            let colour = mix(top, bottom, y as f32 / size.1 as f32);
            row.copy_from_slice(&colour.repeat(size.0 as usize));
        }
        Self {
            pixels,
            change: vec![0.0; size.0 as usize + 2],
        }
    }

    /// The finished picture.
    pub(super) fn into_image(self) -> RgbImage {
        self.pixels
    }

    /// Fills outlines, joined by the non-zero rule, with a colour of some opacity.
    pub(super) fn fill(&mut self, outlines: &[Vec<Point>], colour: Colour, opacity: f32) {
        let rows = outlines.iter().flatten().map(|point| point.1);
        let top = rows.clone().fold(f32::MAX, f32::min).max(0.0) as u32;
        let bottom = rows
            .fold(0.0, f32::max)
            .min(self.pixels.height() as f32)
            .ceil() as u32;
        let columns = outlines.iter().flatten().map(|point| point.0);
        let left = columns.clone().fold(f32::MAX, f32::min).max(0.0) as usize;
        let right = columns.fold(0.0, f32::max).ceil() as usize;
        for y in top..bottom {
            self.change.fill(0.0);
            for sample in 0..SAMPLES {
                let offset = (f32::from(sample) + 0.5) / f32::from(SAMPLES);
                self.cover(&crossings(outlines, y as f32 + offset));
            }
            self.paint_row(y, left..right, colour, opacity);
        }
    }

    fn cover(&mut self, crossings: &[Crossing]) {
        let mut winding = 0;
        for &(x, direction) in crossings {
            let was_inside = winding != 0;
            winding += direction;
            if was_inside != (winding != 0) {
                self.step(x, if was_inside { -1.0 } else { 1.0 } / f32::from(SAMPLES));
            }
        }
    }

    /// Coverage changes at `x`, partly for the pixel that it cuts.
    fn step(&mut self, x: f32, amount: f32) {
        let x = x.clamp(0.0, self.pixels.width() as f32);
        let pixel = x as usize;
        self.change[pixel] += amount * (1.0 - x.fract());
        self.change[pixel + 1] += amount * x.fract();
    }

    fn paint_row(&mut self, y: u32, columns: Range<usize>, colour: Colour, opacity: f32) {
        let row_bytes = self.pixels.width() as usize * 3;
        let start = y as usize * row_bytes;
        let Some(row) = self.pixels.get_mut(start..start + row_bytes) else {
            return;
        };
        let mut coverage = 0.0;
        let pixels = row.as_chunks_mut().0.iter_mut().zip(&self.change);
        for (pixel, change) in pixels.take(columns.end).skip(columns.start) {
            coverage += change;
            let alpha = coverage * opacity;
            if alpha > 0.996 {
                *pixel = colour;
            } else if alpha > 0.004 {
                *pixel = mix(*pixel, colour, alpha);
            }
        }
    }
}

fn crossings(outlines: &[Vec<Point>], y: f32) -> Vec<Crossing> {
    let mut crossings = Vec::new();
    for outline in outlines {
        let ends = outline.iter().skip(1).chain(outline.first());
        for (&(ax, ay), &(bx, by)) in outline.iter().zip(ends) {
            if (ay <= y) != (by <= y) {
                let x = ax + (y - ay) / (by - ay) * (bx - ax);
                crossings.push((x, if by > ay { 1 } else { -1 }));
            }
        }
    }
    crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
    crossings
}
