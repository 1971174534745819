//! Pictures: which kinds are taken, and how large they may be.

use serde::{Deserialize, Serialize};

use super::OutOfLimits;

/// The kinds of picture that every browser shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub enum MediaType {
    /// JPEG.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// PNG.
    #[serde(rename = "image/png")]
    Png,
    /// WebP.
    #[serde(rename = "image/webp")]
    Webp,
}

impl MediaType {
    /// As in `Content-Type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
        }
    }

    /// The usual file name extension.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png, Self::Webp]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A picture's size: 1 byte to 10 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "i64", into = "i64")]
#[schema(value_type = i64, minimum = 1, maximum = 10_485_760, example = 48_213)]
pub struct ByteSize(i64);

impl ByteSize {
    /// The number of bytes.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for ByteSize {
    type Error = OutOfLimits;

    fn try_from(size: i64) -> Result<Self, OutOfLimits> {
        match size {
            1..=10_485_760 => Ok(Self(size)),
            _ => Err(OutOfLimits("must be from 1 to 10485760 bytes")),
        }
    }
}

impl From<ByteSize> for i64 {
    fn from(size: ByteSize) -> Self {
        size.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_is_found_by_its_name() {
        for kind in [MediaType::Jpeg, MediaType::Png, MediaType::Webp] {
            assert_eq!(MediaType::from_name(kind.as_str()), Some(kind));
        }
        assert_eq!(MediaType::from_name("image/svg+xml"), None);
    }

    #[test]
    fn picture_is_neither_empty_nor_huge() {
        assert!(ByteSize::try_from(0).is_err());
        assert!(ByteSize::try_from(10_485_761).is_err());
    }
}
