//! One file per command.

pub mod down;
pub mod logs;
pub mod mail;
pub mod serve;
pub mod status;
pub mod up;
