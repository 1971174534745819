//! The console: who sees its pages, how somebody signs in, what a page of another site can do, and
//! what is shown when everything is gone.

mod access;
mod backlog;
mod browser;
mod looks;
mod offline;
mod pages;
mod session;
