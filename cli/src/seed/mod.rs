//! A sample shop.
mod catalogue;
mod picture;
