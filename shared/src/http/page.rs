//! Keyset pages: `?limit=` and an opaque `?cursor=`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{ApiError, Kind};

/// One page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Give it as `?cursor=` to get the next page; null on the last one.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` items out of `limit + 1` that were read: the
    /// extra one tells whether there is a next page. `position` gives what the
    /// cursor must hold of the last item.
    ///
    /// # Errors
    /// Never in practice: a position that cannot be written as JSON.
    pub fn cut<P: Serialize>(
        mut items: Vec<T>,
        limit: usize,
        position: impl Fn(&T) -> P,
    ) -> Result<Self, ApiError> {
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next_cursor = last
            .map(|item| encode_cursor(&position(item)))
            .transpose()?;
        Ok(Self { items, next_cursor })
    }

    /// The same page with other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(f).collect(),
            next_cursor: self.next_cursor,
        }
    }
}

/// The parameters of every list.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// From 1 to 100, 20 by default.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    /// The parameters of a list that has others as well.
    pub fn new(limit: Option<String>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// How many items the page holds at most.
    ///
    /// # Errors
    /// 422 when it is not a number from 1 to 100.
    pub fn limit(&self) -> Result<usize, ApiError> {
        let Some(limit) = &self.limit else {
            return Ok(20);
        };
        match limit.parse() {
            Ok(limit @ 1..=100) => Ok(limit),
            _ => Err(ApiError::invalid("limit", "must be a number from 1 to 100")),
        }
    }

    /// Whether a page after the first is asked for.
    pub fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// Where the page starts; `None` at the beginning.
    ///
    /// # Errors
    /// 400 when it was not made by this list.
    pub fn position<P: DeserializeOwned>(&self) -> Result<Option<P>, ApiError> {
        self.cursor.as_deref().map(decode_cursor).transpose()
    }
}

/// Writes a position as an opaque cursor of `A-Z a-z 0-9 _ -`.
///
/// # Errors
/// Never in practice: a position that cannot be written as JSON.
pub fn encode_cursor<P: Serialize>(position: &P) -> Result<String, ApiError> {
    serde_json::to_vec(position)
        .map(|json| URL_SAFE_NO_PAD.encode(json))
        .map_err(ApiError::internal)
}

/// Reads a cursor back.
///
/// # Errors
/// 400 when it was not made by this list.
pub fn decode_cursor<P: DeserializeOwned>(cursor: &str) -> Result<P, ApiError> {
    let json = URL_SAFE_NO_PAD
        .decode(cursor)
        .map_err(|_| ApiError::new(Kind::InvalidCursor))?;
    serde_json::from_slice(&json).map_err(|_| ApiError::new(Kind::InvalidCursor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_page_has_no_cursor() {
        let page = Page::cut(vec![1, 2], 2, |n| *n).unwrap();
        assert_eq!((page.items, page.next_cursor), (vec![1, 2], None));
    }

    #[test]
    fn cursor_holds_the_last_item_shown() {
        let page = Page::cut(vec![1, 2, 3], 2, |n| *n).unwrap();
        assert_eq!(page.items, [1, 2]);
        assert_eq!(decode_cursor::<i32>(&page.next_cursor.unwrap()).unwrap(), 2);
    }

    #[test]
    fn foreign_cursor_is_refused() {
        for cursor in ["", "!", "bm90LWpzb24", "W10"] {
            assert_eq!(
                decode_cursor::<i32>(cursor).unwrap_err().kind(),
                Kind::InvalidCursor,
                "{cursor}"
            );
        }
    }
}
