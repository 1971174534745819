//! Outlines: a small subset of SVG's path data (absolute M L Q C Z) turned into polygons.

/// A point in the drawing's own units.
pub(super) type Point = (f32, f32);

/// How many straight pieces a curve is made of. More could not be told apart at our size.
const PIECES: u8 = 14;

/// Reads path data into polylines. Anything it does not know is passed over; a
/// test holds that every motif is known.
pub(super) fn parse(data: &str) -> Vec<Vec<Point>> {
    let mut lines: Vec<Vec<Point>> = Vec::new();
    for (command, numbers) in commands(data) {
        let points: Vec<Point> = numbers.chunks_exact(2).map(|xy| (xy[0], xy[1])).collect();
        match (command, points.as_slice()) {
            ('M', &[start]) => lines.push(vec![start]),
            ('L', &[end]) => extend(&mut lines, |_| vec![end]),
            ('Q', &[a, end]) => extend(&mut lines, |start| curve(&[start, a, end])),
            ('C', &[a, b, end]) => extend(&mut lines, |start| curve(&[start, a, b, end])),
            _ => {}
        }
    }
    lines
}

/// The outline of an ellipse.
pub(super) fn ellipse(centre: Point, radii: Point) -> Vec<Point> {
    // Round pens are drawn as many small discs, which need few corners each.
    let corners = (radii.0.max(radii.1) * 2.0).clamp(14.0, 72.0) as u8;
    (0..corners)
        .map(|step| {
            let angle = f32::from(step) / f32::from(corners) * std::f32::consts::TAU;
            (
                centre.0 + radii.0 * angle.cos(),
                centre.1 + radii.1 * angle.sin(),
            )
        })
        .collect()
}

/// The outlines of a line drawn with a round pen: they overlap and all turn the
/// same way, so that a non-zero fill joins them.
pub(super) fn stroke(line: &[Point], width: f32) -> Vec<Vec<Point>> {
    let half = width / 2.0;
    let mut outlines: Vec<Vec<Point>> = line
        .iter()
        .map(|&point| ellipse(point, (half, half)))
        .collect();
    for pair in line.windows(2) {
        let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
        let length = (bx - ax).hypot(by - ay).max(0.001);
        let (nx, ny) = (-(by - ay) / length * half, (bx - ax) / length * half);
        outlines.push(vec![
            (ax - nx, ay - ny),
            (bx - nx, by - ny),
            (bx + nx, by + ny),
            (ax + nx, ay + ny),
        ]);
    }
    outlines
}

fn commands(data: &str) -> Vec<(char, Vec<f32>)> {
    let mut commands: Vec<(char, Vec<f32>)> = Vec::new();
    for word in data.split_whitespace() {
        let letter = word.chars().next().filter(char::is_ascii_alphabetic);
        if let Some(letter) = letter {
            commands.push((letter, Vec::new()));
        }
        let number = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
        if let (Some((_, numbers)), Ok(number)) = (commands.last_mut(), number.parse()) {
            numbers.push(number);
        }
    }
    commands
}

fn extend(lines: &mut [Vec<Point>], more: impl Fn(Point) -> Vec<Point>) {
    if let Some(line) = lines.last_mut()
        && let Some(&end) = line.last()
    {
        line.extend(more(end));
    }
}

/// De Casteljau's construction, which serves every degree.
fn curve(controls: &[Point]) -> Vec<Point> {
    (1..=PIECES)
        .map(|step| {
            let t = f32::from(step) / f32::from(PIECES);
            let mut points = controls.to_vec();
            while points.len() > 1 {
                points = points
                    .windows(2)
                    .map(|pair| between(pair[0], pair[1], t))
                    .collect();
            }
            points[0]
        })
        .collect()
}

fn between(a: Point, b: Point, t: f32) -> Point {
    (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t)
}
