//! Colours: those of one picture follow from the colour of its product.

/// Red, green, blue.
pub(super) type Colour = [u8; 3];

/// What everything pale is mixed from.
const PAPER: Colour = [0xFB, 0xF7, 0xEF];
const INK: Colour = [0x26, 0x2B, 0x33];

/// Backdrops for things too pale to stand before a tint of themselves.
const DEEP: [Colour; 3] = [[0x7F, 0x9C, 0x96], [0xC4, 0x8B, 0x6E], [0x7D, 0x8C, 0xA6]];

/// The colours of one picture.
pub(super) struct Palette {
    main: Colour,
    backdrop: Colour,
}

impl Palette {
    /// The palette of a product of this colour; `number` tells pale things apart.
    pub(super) fn of(main: Colour, number: u64) -> Self {
        let is_pale = lightness(main) > 178.0;
        let backdrop = if is_pale {
            DEEP[(number % 3) as usize]
        } else {
            mix(main, PAPER, 0.55)
        };
        Self { main, backdrop }
    }

    /// The upper and the lower end of the background.
    pub(super) fn background(&self) -> (Colour, Colour) {
        (
            mix(self.backdrop, PAPER, 0.72),
            mix(self.backdrop, PAPER, 0.40),
        )
    }

    /// The large calm shape behind the product.
    pub(super) fn decoration(&self) -> Colour {
        mix(self.backdrop, PAPER, 0.12)
    }

    /// The colour and the opacity of a part of a motif.
    pub(super) fn role(&self, name: &str) -> Option<(Colour, f32)> {
        let colour = match name {
            "main" => self.main,
            "shade" => mix(self.main, INK, 0.20),
            "light" => mix(self.main, PAPER, 0.34),
            "dark" => mix(self.main, INK, 0.72),
            "paper" => PAPER,
            "shadow" => return Some((INK, 0.13)),
            "glow" => return Some(([0xFF, 0xE9, 0xA8], 0.60)),
            "wood" => [0xC4, 0x97, 0x66],
            "bark" => [0x6E, 0x4F, 0x3A],
            "metal" => [0xC9, 0xD0, 0xD4],
            "steel" => [0xA3, 0xAE, 0xB5],
            "leaf" => [0x5E, 0x8C, 0x5A],
            "pine" => [0x3F, 0x6B, 0x52],
            "lime" => [0x8F, 0xB5, 0x6A],
            "ember" => [0xDD, 0x63, 0x41],
            "sun" => [0xF0, 0xB9, 0x4B],
            "water" => [0x5F, 0x9F, 0xBF],
            _ => return None,
        };
        Some((colour, 1.0))
    }
}

/// `#RRGGBB` as a colour.
pub(super) fn parse(hex: &str) -> Option<Colour> {
    let [_, r, g, b] = u32::from_str_radix(hex.strip_prefix('#')?, 16)
        .ok()?
        .to_be_bytes();
    Some([r, g, b])
}

/// A colour between two: 0 is the first, 1 the second.
pub(super) fn mix(from: Colour, to: Colour, share: f32) -> Colour {
    let channel = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share + 0.5) as u8;
    [
        channel(from[0], to[0]),
        channel(from[1], to[1]),
        channel(from[2], to[2]),
    ]
}

/// Perceived lightness, by the weights of ITU-R BT.601.
fn lightness([r, g, b]: Colour) -> f32 {
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
}
