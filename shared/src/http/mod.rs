//! The only module that knows HTTP: errors as problem+json, extractors, layers.

mod body;
mod caching;
mod caller;
mod console;
mod domain_errors;
#[cfg(test)]
mod edge_tests;
mod error;
pub mod idempotency;
mod layers;
mod limits;
mod page;
mod precondition;
mod representation;
mod server;
mod strict;

pub use body::{Json, Path, Query};
pub use caching::{LastGoodRead, ReadCache};
pub use caller::{Admin, Anyone, Seller, SteppedUp, User};
pub use console::{
    CONSOLE_PATH, CONSOLE_SIGN_IN_PATH, console_page, console_session, console_user,
    forget_console, forget_console_session, keep_console_session, keep_console_token,
    own_pages_only,
};
pub use error::{ApiError, FieldError, Kind, Problem};
pub use layers::{in_time, service};
pub use limits::{ClientNetwork, class_of, too_many};
pub use page::{Page, PageQuery, decode_cursor, encode_cursor};
pub use precondition::{IfMatch, etag};
pub use representation::Representation;
pub use server::{is_warm_up, serve};

/// Where every route of the contract starts.
pub const BASE_PATH: &str = "/api/v1";
