//! The mailer function.
