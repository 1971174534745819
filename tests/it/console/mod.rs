//! The console.

mod pages;
