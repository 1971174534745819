//! Pixels: fills outlines with smooth edges.

use std::ops::Range;

use image::RgbImage;

use super::palette::{Colour, mix};
use super::path::Point;

/// Lines that each row of pixels is sampled at.
const SAMPLES: u8 = 4;

/// Where crossings of a sample line lie, and which way the outline goes there.
type Crossing = (f32, i32);

/// A straight piece of an outline.
type Edge = (Point, Point);

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
        let solid = colour.repeat(self.pixels.width() as usize);
        for (y, edges) in (top..).zip(edges_by_row(outlines, top..bottom)) {
            self.change.fill(0.0);
            for sample in 0..SAMPLES {
                let offset = (f32::from(sample) + 0.5) / f32::from(SAMPLES);
                self.cover(&crossings(&edges, y as f32 + offset));
            }
            self.paint_row(y, left..right, &solid, opacity);
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

    /// Paints runs of equal coverage at once, because a build without
    /// optimisation would take most of its time for single pixels.
    fn paint_row(&mut self, y: u32, columns: Range<usize>, solid: &[u8], opacity: f32) {
        let row_bytes = self.pixels.width() as usize * 3;
        let start = y as usize * row_bytes;
        let Some(row) = self.pixels.get_mut(start..start + row_bytes) else {
            return;
        };
        let (mut x, end) = (columns.start, columns.end.min(row_bytes / 3));
        let mut coverage = 0.0;
        while x < end {
            coverage += self.change[x];
            let rest = &self.change[x + 1..end];
            let run = 1 + rest
                .iter()
                .position(|&change| change != 0.0)
                .unwrap_or(rest.len());
            blend(&mut row[x * 3..(x + run) * 3], solid, coverage * opacity);
            x += run;
        }
    }
}

fn blend(pixels: &mut [u8], solid: &[u8], alpha: f32) {
    if alpha > 0.996 {
        pixels.copy_from_slice(&solid[..pixels.len()]);
    } else if alpha > 0.004 {
        let colours = solid.as_chunks().0;
        for (pixel, &colour) in pixels.as_chunks_mut().0.iter_mut().zip(colours) {
            *pixel = mix(*pixel, colour, alpha);
        }
    }
}

/// For each row of pixels the edges that touch it.
fn edges_by_row(outlines: &[Vec<Point>], rows: Range<u32>) -> Vec<Vec<Edge>> {
    let mut edges = vec![Vec::new(); rows.len()];
    for outline in outlines {
        let ends = outline.iter().skip(1).chain(outline.first());
        for (&a, &b) in outline.iter().zip(ends) {
            let first = (a.1.min(b.1) as u32).max(rows.start);
            let last = (a.1.max(b.1).max(0.0).ceil() as u32).min(rows.end);
            for row in first..last {
                edges[(row - rows.start) as usize].push((a, b));
            }
        }
    }
    edges
}

fn crossings(edges: &[Edge], y: f32) -> Vec<Crossing> {
    let mut crossings = Vec::new();
    for &((ax, ay), (bx, by)) in edges {
        if (ay <= y) != (by <= y) {
            let x = ax + (y - ay) / (by - ay) * (bx - ax);
            crossings.push((x, if by > ay { 1 } else { -1 }));
        }
    }
    crossings.sort_by(|a, b| a.0.total_cmp(&b.0));
    crossings
}
