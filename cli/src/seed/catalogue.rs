//! The sample catalogue: what `catalogue/*.json` says, put together. The same
//! text always gives the same products, so that a second run finds them all.

mod shelf;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::picture::Drawing;
use shelf::Shelf;

/// The categories, parents before children, and the products.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Catalogue {
    pub(super) categories: Vec<Category>,
    pub(super) products: Vec<Product>,
}

/// A node of the category tree.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Category {
    pub(super) slug: String,
    pub(super) title: String,
    pub(super) parent: Option<String>,
}

/// A product that the shop should have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Product {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) category: String,
    pub(super) variants: Vec<Variant>,
    pub(super) pictures: Vec<Picture>,
}

/// One thing to buy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) sku: String,
    pub(super) title: String,
    pub(super) options: BTreeMap<String, String>,
    pub(super) price_minor: i64,
    pub(super) stock: i64,
}

/// A picture to draw, and what it is called for those who cannot see it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) alt: String,
    pub(super) drawing: Drawing,
}

/// Words and colours that all shelves share.
struct Shared {
    /// Names of product lines.
    lines: Vec<String>,
    /// `#RRGGBB` by name.
    colours: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    slug: String,
    title: String,
    #[serde(default)]
    children: Vec<Node>,
    shelf: Option<Shelf>,
}

impl Catalogue {
    /// Puts the catalogue together.
    ///
    /// # Errors
    /// A data file is damaged.
    pub(super) fn read() -> Result<Self> {
        let shared = Shared {
            lines: parse("lines.json", include_str!("catalogue/lines.json"))?,
            colours: parse("colours.json", include_str!("catalogue/colours.json"))?,
        };
        let roots: [Node; 3] = [
            parse("home.json", include_str!("catalogue/home.json"))?,
            parse("outdoor.json", include_str!("catalogue/outdoor.json"))?,
            parse("garden.json", include_str!("catalogue/garden.json"))?,
        ];
        let (mut categories, mut shelves) = (Vec::new(), Vec::new());
        for root in &roots {
            walk(root, None, &mut categories, &mut shelves);
        }
        let shelves: Vec<Vec<Product>> = shelves
            .into_iter()
            .map(|(category, shelf)| shelf.products(category, &shared))
            .collect::<Result<_>>()?;
        Ok(Self {
            categories,
            products: take_turns(shelves),
        })
    }
}

fn parse<'a, T: Deserialize<'a>>(file: &str, text: &'a str) -> Result<T> {
    serde_json::from_str(text).with_context(|| format!("catalogue/{file} cannot be read"))
}

fn walk<'a>(
    node: &'a Node,
    parent: Option<&Node>,
    categories: &mut Vec<Category>,
    shelves: &mut Vec<(&'a str, &'a Shelf)>,
) {
    categories.push(Category {
        slug: node.slug.clone(),
        title: node.title.clone(),
        parent: parent.map(|parent| parent.slug.clone()),
    });
    shelves.extend(node.shelf.as_ref().map(|shelf| (node.slug.as_str(), shelf)));
    for child in &node.children {
        walk(child, Some(node), categories, shelves);
    }
}

/// One product of each shelf after the other, so that the newest products of
/// the shop are not all of one kind.
fn take_turns(shelves: Vec<Vec<Product>>) -> Vec<Product> {
    let mut shelves: Vec<_> = shelves.into_iter().map(Vec::into_iter).collect();
    let mut products = Vec::new();
    loop {
        let before = products.len();
        products.extend(shelves.iter_mut().filter_map(Iterator::next));
        if products.len() == before {
            return products;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn all_different<T: Eq + std::hash::Hash>(values: impl Iterator<Item = T>) -> bool {
        let mut seen = HashSet::new();
        values.into_iter().all(|value| seen.insert(value))
    }

    #[test]
    fn catalogue_is_the_same_every_time() {
        assert_eq!(Catalogue::read().unwrap(), Catalogue::read().unwrap());
    }

    #[test]
    fn catalogue_is_large_and_nothing_appears_twice() {
        let Catalogue {
            categories,
            products,
        } = Catalogue::read().unwrap();
        assert!(categories.len() >= 20 && products.len() >= 300);
        assert!(all_different(
            categories.iter().map(|category| &category.slug)
        ));
        assert!(all_different(
            products.iter().map(|product| product.title.to_lowercase())
        ));
        assert!(all_different(
            products.iter().map(|product| &product.description)
        ));
        let variants = || products.iter().flat_map(|product| &product.variants);
        assert!(all_different(variants().map(|variant| &variant.sku)));
    }

    #[test]
    fn every_category_leads_to_products_and_is_known() {
        let Catalogue {
            categories,
            products,
        } = Catalogue::read().unwrap();
        let mut reached = HashSet::new();
        for product in &products {
            let mut slug = Some(&product.category);
            while let Some(known) = slug {
                let category = categories
                    .iter()
                    .find(|category| &category.slug == known)
                    .unwrap();
                reached.insert(&category.slug);
                slug = category.parent.as_ref();
            }
        }
        assert_eq!(reached.len(), categories.len());
    }

    #[test]
    fn tree_has_three_levels_and_parents_come_first() {
        let categories = Catalogue::read().unwrap().categories;
        let mut depth: BTreeMap<&str, usize> = BTreeMap::new();
        for category in &categories {
            let level = category
                .parent
                .as_deref()
                .map_or(1, |parent| depth[parent] + 1);
            depth.insert(&category.slug, level);
        }
        assert_eq!(depth.values().max(), Some(&3));
    }

    #[test]
    fn products_are_within_the_limits_of_the_shop() {
        for product in Catalogue::read().unwrap().products {
            let title = &product.title;
            let sentences = product.description.matches(['.', '!', '?']).count();
            assert!(
                (2..=6).contains(&sentences),
                "{title}: {}",
                product.description
            );
            assert!((1..=6).contains(&product.variants.len()), "{title}");
            assert!((1..=2).contains(&product.pictures.len()), "{title}");
            assert!(
                product.variants.iter().any(|variant| variant.stock > 0),
                "{title}"
            );
            for variant in &product.variants {
                assert!(
                    (500..=150_000).contains(&variant.price_minor),
                    "{}",
                    variant.sku
                );
                assert!((0..=200).contains(&variant.stock), "{}", variant.sku);
                let sku = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
                assert!(variant.sku.chars().all(sku) && variant.sku.len() <= 40);
            }
        }
    }
}
