//! The products of one category: every kind in every finish.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Picture, Product, Shared, Variant};
use crate::seed::picture::Drawing;

/// What a data file says about the products of a category.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shelf {
    /// The start of every SKU.
    sku: String,
    motif: String,
    sizes: Vec<String>,
    /// Per cent that each size costs more than the one before.
    size_step: i64,
    colours: Vec<String>,
    finishes: Vec<Finish>,
    kinds: Vec<Kind>,
    /// Sentences that are true of everything on the shelf.
    uses: Vec<String>,
    closings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    name: String,
    /// Per cent of the kind's price.
    price: i64,
    text: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kind {
    name: String,
    /// Minor units.
    price: i64,
    by: By,
    sizes: Option<Vec<String>>,
    size_step: Option<i64>,
    text: String,
}

/// What the variants of a kind differ in.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    One,
    Colour,
    Size,
    Both,
}

impl Shelf {
    /// The products.
    ///
    /// # Errors
    /// A colour is not among the shared ones.
    pub(super) fn products(&self, category: &str, shared: &Shared) -> Result<Vec<Product>> {
        let mut products = Vec::new();
        let first_line = Chance::of(category).below(shared.lines.len());
        for (f, finish) in self.finishes.iter().enumerate() {
            for (k, kind) in self.kinds.iter().enumerate() {
                let root = format!("{}-{}{}", self.sku, k + 1, f + 1);
                let line = &shared.lines[(first_line + 3 * products.len()) % shared.lines.len()];
                let title = format!("{line} {} {}", finish.name, kind.name);
                let mut chance = Chance::of(&root);
                let colours = self.choose_colours(kind.by, &mut chance);
                products.push(Product {
                    description: self.describe(kind, finish, &mut chance),
                    category: category.to_owned(),
                    variants: self.variants(kind, finish, &colours, &root),
                    pictures: self.pictures(&title, &colours, shared, &mut chance)?,
                    title,
                });
            }
        }
        Ok(products)
    }

    fn choose_colours(&self, by: By, chance: &mut Chance) -> Vec<&str> {
        let wanted = match by {
            By::One | By::Size => 1,
            By::Both => 2,
            By::Colour => 2 + chance.below(3),
        };
        let start = chance.below(self.colours.len());
        let all = self.colours.iter().cycle().skip(start);
        all.take(wanted.min(self.colours.len()))
            .map(String::as_str)
            .collect()
    }

    fn describe(&self, kind: &Kind, finish: &Finish, chance: &mut Chance) -> String {
        let mut sentences = vec![kind.text.as_str(), finish.text.as_str()];
        let length = chance.below(5);
        if length > 0 {
            sentences.push(chance.pick(&self.uses));
        }
        if length > 2 {
            sentences.push(chance.pick(&self.closings));
        }
        sentences.join(" ")
    }

    fn variants(&self, kind: &Kind, finish: &Finish, colours: &[&str], root: &str) -> Vec<Variant> {
        let size_step = kind.size_step.unwrap_or(self.size_step);
        let sizes = kind.sizes.as_ref().unwrap_or(&self.sizes);
        let (colours, sizes): (Vec<_>, Vec<_>) = match kind.by {
            By::One => (vec![None], vec![None]),
            By::Colour => (colours.iter().copied().map(Some).collect(), vec![None]),
            By::Size => (vec![None], sizes.iter().map(Some).collect()),
            // Three sizes at most, which with two colours makes six.
            By::Both => (
                colours.iter().copied().map(Some).collect(),
                sizes.iter().take(3).map(Some).collect(),
            ),
        };
        let mut variants = Vec::new();
        for colour in &colours {
            for (step, size) in (0..).zip(&sizes) {
                let price = kind.price * finish.price * (100 + step * size_step) / 10_000;
                variants.push(variant(root, *colour, size.map(String::as_str), price));
            }
        }
        // The first variant can always be bought.
        if let Some(first) = variants.first_mut() {
            first.stock = first.stock.max(5);
        }
        variants
    }

    fn pictures(
        &self,
        title: &str,
        colours: &[&str],
        shared: &Shared,
        chance: &mut Chance,
    ) -> Result<Vec<Picture>> {
        let wanted = if chance.below(4) == 0 { 2 } else { 1 };
        let mut pictures = Vec::new();
        for colour in colours.iter().take(wanted) {
            let hex = shared
                .colours
                .get(*colour)
                .with_context(|| format!("no colour {colour}"))?;
            pictures.push(Picture {
                alt: format!("Drawing of the {title} in {}", colour.to_lowercase()),
                drawing: Drawing {
                    motif: self.motif.clone(),
                    colour: hex.clone(),
                    number: chance.next(),
                },
            });
        }
        Ok(pictures)
    }
}

fn variant(root: &str, colour: Option<&str>, size: Option<&str>, price: i64) -> Variant {
    let parts = [
        colour.map(|colour| code(colour, 4)),
        size.map(|size| code(size, 8)),
    ];
    let sku = std::iter::once(root.to_owned()).chain(parts.into_iter().flatten());
    let sku = sku.collect::<Vec<_>>().join("-");
    let named = [("colour", colour), ("size", size)];
    let options: BTreeMap<String, String> = named
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let title = options.values().cloned().collect::<Vec<_>>().join(", ");
    let mut chance = Chance::of(&sku);
    // Some are sold out and some nearly, as in any shop.
    let stock = match chance.below(20) {
        0 => 0,
        1 | 2 => 1 + chance.below(3),
        _ => 8 + chance.below(120),
    };
    Variant {
        title: if title.is_empty() {
            "Standard".to_owned()
        } else {
            title
        },
        options,
        price_minor: (price + 99) / 100 * 100 - 10,
        stock: i64::try_from(stock).unwrap_or_default(),
        sku,
    }
}

fn code(name: &str, length: usize) -> String {
    let kept = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(length);
    kept.collect::<String>().to_uppercase()
}

/// Choices that only depend on a name. A general generator may change its
/// sequence with a release, and with it the catalogue.
struct Chance(u64);

impl Chance {
    /// FNV-1a of the name.
    fn of(name: &str) -> Self {
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, step))
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, values: &'a [String]) -> &'a str {
        let index = self.below(values.len());
        values.get(index).map_or("", String::as_str)
    }
}
