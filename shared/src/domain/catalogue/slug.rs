//! What a product or a category is called in addresses.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use uuid::Uuid;

use super::OutOfLimits;

/// How long a slug that is made from a title may be; room is left for a suffix.
const DERIVED_MAX: usize = 80;

/// 1 to 100 of `a-z 0-9 -`, not at the ends or twice in a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, example = "stoneware-mug", pattern = "^[a-z0-9]+(-[a-z0-9]+)*$", max_length = 100)]
pub struct Slug(String);

impl Slug {
    /// The slug of a title: accents dropped, everything that is no letter or digit a hyphen.
    pub fn of(title: &str) -> Self {
        let mut slug = String::new();
        for c in title.nfkd().filter(|&c| !is_combining_mark(c)) {
            let c = c.to_ascii_lowercase();
            if slug.len() == DERIVED_MAX {
                break;
            }
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                'ß' => slug.push_str("ss"),
                'ø' | 'Ø' => slug.push('o'),
                'æ' | 'Æ' => slug.push_str("ae"),
                '\'' | '’' => {}
                _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                _ => {}
            }
        }
        let slug = slug.trim_end_matches('-');
        // A title without a single Latin letter or digit has none to give.
        Self(if slug.is_empty() {
            "item".to_owned()
        } else {
            slug.to_owned()
        })
    }

    /// The slugs that a product of this title may get, in order of preference.
    /// `id` makes the last one unique.
    pub fn candidates(title: &str, id: Uuid) -> Vec<Self> {
        let slug = Self::of(title);
        let mut candidates = Vec::new();
        if !slug.is_reserved() {
            candidates.push(slug.clone());
        }
        candidates.extend((2..=4).map(|n| Self(format!("{slug}-{n}", slug = slug.0))));
        let unique = id.simple().to_string();
        candidates.push(Self(format!("{}-{}", slug.0, &unique[20..])));
        candidates
    }

    /// Whether it means something else in a product's place: a route, or an id.
    fn is_reserved(&self) -> bool {
        self.0 == "trending" || Uuid::try_parse(&self.0).is_ok()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = OutOfLimits;

    fn try_from(text: String) -> Result<Self, OutOfLimits> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let whole = |part: &str| !part.is_empty() && part.bytes().all(allowed);
        if text.len() <= 100 && text.split('-').all(whole) {
            Ok(Self(text))
        } else {
            Err(OutOfLimits(
                "must be 1 to 100 of a-z 0-9, with single hyphens between",
            ))
        }
    }
}

impl From<Slug> for String {
    fn from(slug: Slug) -> Self {
        slug.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn title_becomes_a_slug() {
        for (title, slug) in [
            ("Stoneware Mug, 300 ml", "stoneware-mug-300-ml"),
            ("  Café — crème brûlée! ", "cafe-creme-brulee"),
            ("Straße Øl", "strasse-ol"),
            ("Baker's dozen", "bakers-dozen"),
            ("日本", "item"),
        ] {
            assert_eq!(Slug::of(title).as_str(), slug);
        }
    }

    #[test]
    fn reserved_slug_gets_a_suffix() {
        let id = Uuid::now_v7();
        for title in [
            "Trending",
            "01890000-0000-7000-8000-000000000000",
            "0189000000007000800000000000abcd",
        ] {
            assert!(
                Slug::candidates(title, id)[0].as_str().ends_with("-2"),
                "{title}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_candidate_is_a_slug(title: String) {
            for slug in Slug::candidates(&title, Uuid::now_v7()) {
                prop_assert_eq!(Slug::try_from(slug.0.clone()), Ok(slug));
            }
        }

        #[test]
        fn slug_of_a_slug_is_itself(slug in "[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}") {
            prop_assert_eq!(Slug::of(&slug).0, slug);
        }
    }
}
