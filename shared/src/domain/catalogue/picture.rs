//! Pictures: which kinds are taken, and how large they may be.

use std::io::Cursor;

use image::{ImageError, ImageFormat, ImageReader, Limits};
use serde::{Deserialize, Serialize};

use super::OutOfLimits;

/// The most pixels on a side.
const SIDE_MAX: u32 = 6_000;

/// A small file can decode to gigabytes; an environment has 256 MB.
const DECODED_BYTES_MAX: u64 = 96 * 1024 * 1024;

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

    /// Checks that `bytes` really are a picture of this kind, by decoding all of it.
    /// Takes milliseconds per megapixel and up to 96 MiB.
    ///
    /// # Errors
    /// They are another kind, damaged, or too many pixels.
    pub fn verify(self, bytes: &[u8]) -> Result<(), OutOfLimits> {
        let format = match self {
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::Webp => ImageFormat::WebP,
        };
        if image::guess_format(bytes).ok() != Some(format) {
            return Err(OutOfLimits(
                "The upload is not a picture of the announced type.",
            ));
        }
        let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut limits = Limits::default();
        limits.max_image_width = Some(SIDE_MAX);
        limits.max_image_height = Some(SIDE_MAX);
        limits.max_alloc = Some(DECODED_BYTES_MAX);
        reader.limits(limits);
        match reader.decode() {
            Ok(_) => Ok(()),
            Err(ImageError::Limits(_)) => Err(OutOfLimits(
                "The picture has more than 6000 pixels on a side, or more than 96 MiB in all.",
            )),
            Err(_) => Err(OutOfLimits("The upload is damaged.")),
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

    fn drawn(format: ImageFormat, side: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image::RgbImage::new(side, side)
            .write_to(&mut bytes, format)
            .unwrap();
        bytes.into_inner()
    }

    #[test]
    fn picture_is_what_it_says_it_is() {
        let png = drawn(ImageFormat::Png, 8);
        assert_eq!(MediaType::Png.verify(&png), Ok(()));
        assert_eq!(MediaType::Jpeg.verify(&drawn(ImageFormat::Jpeg, 8)), Ok(()));
        assert_eq!(MediaType::Webp.verify(&drawn(ImageFormat::WebP, 8)), Ok(()));
        assert!(MediaType::Jpeg.verify(&png).is_err(), "another kind");
        assert!(
            MediaType::Png.verify(&png[..png.len() / 2]).is_err(),
            "half of it"
        );
        assert!(MediaType::Png.verify(b"<html>").is_err(), "no picture");
        assert!(MediaType::Png.verify(b"").is_err(), "nothing");
    }

    #[test]
    fn small_file_with_huge_picture_is_refused() {
        let bomb = drawn(ImageFormat::Png, 6_001);
        assert!(bomb.len() < 1_000_000);
        assert!(MediaType::Png.verify(&bomb).unwrap_err().0.contains("6000"));
    }

    #[test]
    fn picture_is_neither_empty_nor_huge() {
        assert!(ByteSize::try_from(0).is_err());
        assert!(ByteSize::try_from(10_485_761).is_err());
    }
}
