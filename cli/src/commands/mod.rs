//! One file per command.

pub(crate) mod bench;
pub(crate) mod check;
pub(crate) mod db;
pub(crate) mod dlq;
pub(crate) mod down;
pub(crate) mod drill;
pub(crate) mod events;
pub(crate) mod fault;
pub(crate) mod flags;
pub(crate) mod jobs;
pub(crate) mod logs;
pub(crate) mod mail;
pub(crate) mod openapi;
pub(crate) mod rotate;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod totp;
pub(crate) mod up;
