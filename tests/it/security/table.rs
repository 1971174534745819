//! Who may do what: a row for each operation and what it is done to, a column for each caller.
//!
//! A new operation without a row fails the test beside the matrix. An operation whose answer depends
//! on whose thing it is has a row per kind of thing.

use super::scene::Thing::{self, *};

/// What the columns' letters say about the answer.
pub(super) const LETTERS: &[(char, &str)] = &[
    ('+', "done: 2xx or 3xx"),
    (
        '!',
        "let through, and refused for what it says: 400, 402, 409, 412, 415, 422, 428",
    ),
    ('U', "401: nobody we know"),
    ('F', "403 forbidden: known, but not allowed"),
    (
        'S',
        "403 step-up-required: allowed with a second factor only",
    ),
    ('N', "404: as if it were not there"),
];

/// Operation, what it is done to, body, and the letters of the callers: anonymous, another customer,
/// the owner, the seller, another seller, an admin, an admin after a second factor; and those whose
/// token is good no more: of a deleted account, expired, signed by a revoked key.
pub(super) type Row = (&'static str, Thing, &'static str, &'static str);

#[rustfmt::skip] // A table is read by the row.
pub(super) const TABLE: &[Row] = &[
    //                                                                          who: - o O s S a A d e r
    ("GET /.well-known/jwks.json",                        Nothing, "",              "+ + + + + + + + + +"),
    ("POST /api/v1/auth/register",                        Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("POST /api/v1/auth/login",                           Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("POST /api/v1/auth/refresh",                         Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("POST /api/v1/auth/verify-email",                    Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("POST /api/v1/auth/verify-email/resend",             Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("POST /api/v1/auth/password/forgot",                 Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("POST /api/v1/auth/password/reset",                  Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("POST /api/v1/auth/password/change",                 Nothing, "{}",            "U ! ! ! ! ! ! U U U"),
    ("POST /api/v1/auth/logout",                          Nothing, "{}",            "U ! ! ! ! ! ! U U U"),
    ("POST /api/v1/auth/logout-all",                      Caller,  "",              "U + + + + + + U U U"),
    ("GET /api/v1/auth/me",                               Nothing, "",              "U + + + + + + U U U"),
    ("PATCH /api/v1/auth/me",                             Nothing, r#"{"name":"A"}"#, "U + + + + + + U U U"),
    ("DELETE /api/v1/auth/me",                            Caller,  "",              "U + + + + + + U U U"),
    ("GET /api/v1/auth/sessions",                         Nothing, "",              "U + + + + + + U U U"),
    ("DELETE /api/v1/auth/sessions/{id}",                 Session, "",              "U N + N N N N U U U"),
    ("POST /api/v1/auth/totp",                            Caller,  "",              "U + + + + + + U U U"),
    ("POST /api/v1/auth/totp/confirm",                    Nothing, "{}",            "U ! ! ! ! ! ! U U U"),
    ("POST /api/v1/auth/step-up",                         Nothing, "{}",            "U ! ! ! ! ! ! U U U"),
    ("PUT /api/v1/admin/users/{id}/role",                 Account, r#"{"role":"customer"}"#, "U F F F F S + U U U"),

    ("GET /api/v1/products",                              Nothing, "",              "+ + + + + + + + + +"),
    ("GET /api/v1/categories",                            Nothing, "",              "+ + + + + + + + + +"),
    ("GET /api/v1/products/{product}",                    OnSale,  "",              "+ + + + + + + U U U"),
    ("GET /api/v1/products/{product}",                    Draft,   "",              "N N N + N + + U U U"),
    ("GET /api/v1/products/trending",                     Nothing, "",              "+ + + + + + + + + +"),
    ("GET /api/v1/products/{product}/recommendations",    OnSale,  "",              "+ + + + + + + + + +"),
    ("POST /api/v1/events",                               Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("POST /api/v1/products",                             Nothing, "{}",            "U F F ! ! ! ! U U U"),
    ("PATCH /api/v1/products/{product}",                  OnSale,  "{}",            "U F F + F + + U U U"),
    ("PATCH /api/v1/products/{product}",                  Draft,   "{}",            "U F F + N + + U U U"),
    ("DELETE /api/v1/products/{product}",                 OnSale,  "",              "U F F + F + + U U U"),
    ("DELETE /api/v1/products/{product}",                 Draft,   "",              "U F F + N + + U U U"),
    ("POST /api/v1/products/{product}/images",            OnSale,  PICTURE,         "U F F + F + + U U U"),
    ("POST /api/v1/products/{product}/images",            Draft,   PICTURE,         "U F F + N + + U U U"),
    ("POST /api/v1/products/{product}/images/{image_id}/complete", OnSale, "",      "U F F ! F ! ! U U U"),
    ("POST /api/v1/products/{product}/images/{image_id}/complete", Draft,  "",      "U F F ! N ! ! U U U"),
    ("POST /api/v1/products/{product}/variants/{sku}/stock-adjustments", OnSale, MORE, "U F F + F + + U U U"),
    ("POST /api/v1/products/{product}/variants/{sku}/stock-adjustments", Draft, MORE,  "U F F + N + + U U U"),
    ("POST /api/v1/categories",                           Nothing, "{}",            "U F F F F ! ! U U U"),
    ("PATCH /api/v1/categories/{slug}",                   Category, "{}",           "U F F F F + + U U U"),

    ("POST /api/v1/carts",                                Nothing, "",              "+ + + + + + + U U U"),
    ("GET /api/v1/carts/{id}",                            Cart,    "",              "N N + N N N N U U U"),
    ("GET /api/v1/carts/{id}",                            OpenCart, "",             "+ + + + + + + U U U"),
    ("DELETE /api/v1/carts/{id}",                         Cart,    "",              "N N + N N N N U U U"),
    ("DELETE /api/v1/carts/{id}",                         OpenCart, "",             "+ + + + + + + U U U"),
    ("PUT /api/v1/carts/{id}/lines/{sku}",                Cart,    ONE,             "N N + N N N N U U U"),
    ("PUT /api/v1/carts/{id}/lines/{sku}",                OpenCart, ONE,            "+ + + + + + + U U U"),
    ("DELETE /api/v1/carts/{id}/lines/{sku}",             Cart,    "",              "N N + N N N N U U U"),
    ("DELETE /api/v1/carts/{id}/lines/{sku}",             OpenCart, "",             "+ + + + + + + U U U"),
    ("POST /api/v1/carts/{id}/merge",                     Cart,    INTO,            "U N + N N N N U U U"),
    ("POST /api/v1/carts/{id}/merge",                     OpenCart, INTO,           "U + + + + + + U U U"),
    ("POST /api/v1/checkout",                             Nothing, "{}",            "U ! ! ! ! ! ! U U U"),
    ("GET /api/v1/orders",                                Nothing, "",              "U + + + + + + U U U"),
    ("GET /api/v1/orders?as=seller",                      Nothing, "",              "U F F + + + + U U U"),
    ("GET /api/v1/orders/{id}",                           Order,   "",              "U N + N N + + U U U"),
    ("POST /api/v1/orders/{id}/cancel",                   Order,   "",              "U N + N N + + U U U"),
    ("POST /api/v1/orders/{id}/pay",                      Order,   WALLET,          "U N ! N N N N U U U"),
    ("POST /api/v1/orders/{id}/refunds",                  Order,   WHY,             "U F F F F S + U U U"),
    ("POST /api/v1/orders/{id}/fulfilments",              Order,   PARCEL,          "U F F + N + + U U U"),
    ("POST /api/v1/orders/{id}/delivered",                Order,   "",              "U F F ! N ! ! U U U"),
    ("GET /api/v1/payment-methods",                       Nothing, "",              "U + + + + + + U U U"),
    ("POST /api/v1/payment-methods",                      Nothing, "{}",            "U ! ! ! ! ! ! U U U"),
    ("DELETE /api/v1/payment-methods/{id}",               Card,    "",              "U N + N N N N U U U"),
    ("GET /api/v1/wallet",                                Nothing, "",              "U + + + + + + U U U"),
    ("POST /api/v1/wallets/{user_id}/credits",            Account, CREDIT,          "U F F F F S + U U U"),
    ("POST /api/v1/webhooks/stripe",                      Nothing, "{}",            "! ! ! ! ! ! ! ! ! !"),
    ("GET /api/v1/admin/shipping-rates",                  Nothing, "",              "U F F F F + + U U U"),
    ("PUT /api/v1/admin/shipping-rates",                  Nothing, "{}",            "U F F F F ! ! U U U"),
    ("GET /api/v1/admin/tax-rates",                       Nothing, "",              "U F F F F + + U U U"),
    ("PUT /api/v1/admin/tax-rates",                       Nothing, "{}",            "U F F F F ! ! U U U"),

    ("GET /api/v1/health",                                Nothing, "",              "+ + + + + + + + + +"),
    ("GET /api/v1/health/ready",                          Nothing, "",              "+ + + + + + + + + +"),
    ("GET /api/v1/openapi.json",                          Nothing, "",              "+ + + + + + + + + +"),
    ("GET /docs",                                         Nothing, "",              "+ + + + + + + + + +"),
    ("GET /api/v1/admin/flags",                           Nothing, "",              "U F F F F + + U U U"),
    ("GET /api/v1/admin/flags/{name}",                    Flag,    "",              "U F F F F + + U U U"),
    ("PUT /api/v1/admin/flags/{name}",                    Flag,    "{}",            "U F F F F S ! U U U"),
    ("GET /api/v1/admin/audit",                           Nothing, "",              "U F F F F + + U U U"),
    ("GET /api/v1/admin/jobs",                            Nothing, "",              "U F F F F + + U U U"),
    ("GET /api/v1/admin/jobs/{name}",                     Job,     "",              "U F F F F + + U U U"),
    ("GET /api/v1/admin/analytics/summary",               Nothing, "",              "U F F F F + + U U U"),
    ("GET /api/v1/admin/dead-letters",                    Nothing, "",              "U F F F F + + U U U"),
    ("GET /api/v1/admin/dead-letters/stats",              Nothing, "",              "U F F F F + + U U U"),
    ("GET /api/v1/admin/dead-letters/{id}",               Account, "",              "U F F F F N N U U U"),
    ("POST /api/v1/admin/dead-letters/{id}/replay",       Account, "",              "U F F F F S N U U U"),
    ("POST /api/v1/admin/dead-letters/{id}/discard",      Account, WHY,             "U F F F F S N U U U"),
    ("POST /api/v1/admin/dead-letters/replay",            Nothing, "{}",            "U F F F F S ! U U U"),
    ("GET /api/v1/admin/breakers",                        Nothing, "",              "U F F F F + + U U U"),
    ("PUT /api/v1/admin/breakers/{dependency}",           Breaker, "{}",            "U F F F F S ! U U U"),
];

const PICTURE: &str = r#"{"content_type":"image/png","byte_size":100,"alt":"A mug"}"#;
const MORE: &str = r#"{"delta":1,"reason":"delivery"}"#;
const ONE: &str = r#"{"quantity":1}"#;
/// `OWN_CART` is a cart of the caller's.
const INTO: &str = r#"{"into":"OWN_CART"}"#;
const WALLET: &str = r#"{"payment":{"method":"wallet"}}"#;
const WHY: &str = r#"{"reason":"it broke"}"#;
const PARCEL: &str = r#"{"carrier":"DHL","tracking_number":"1"}"#;
const CREDIT: &str = r#"{"amount":{"amount":1,"currency":"EUR"},"reason":"sorry"}"#;
