//! The contract: the functions' own documentation, merged into one document.

use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, InfoBuilder, OpenApi, OpenApiBuilder, ServerBuilder, Tag};
use utoipa_axum::router::OpenApiRouter;

/// Where the committed document is.
pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

/// What to run when it differs from the code.
pub const COMMAND: &str = "cargo holdfast openapi";

/// The name of the one security scheme.
pub const BEARER: &str = "bearer";

const DESCRIPTION: &str = "What a client of Holdfast may rely on.\n\n\
    JSON in `snake_case`; ids are UUIDs; instants are RFC 3339 in UTC; money is an integer in \
    minor units with its currency. Every answer that is not 2xx or 3xx is a problem (RFC 9457) \
    with a stable `type`. A route may gain fields; it never loses or renames one.";

/// The tags in the order in which a reader meets them.
const TAGS: &[(&str, &str)] = &[
    ("accounts", "Registering, signing in, sessions and keys."),
    ("catalogue", "Products, categories, stock and pictures."),
    ("carts", "What a customer is about to buy."),
    ("orders", "Checkout, and what becomes of an order."),
    (
        "payments",
        "Payment methods, wallets and the provider's webhook.",
    ),
    ("administration", "What only admins may change."),
    ("operations", "Health and this documentation."),
];

/// The whole contract, the same for the same code.
pub fn document() -> OpenApi {
    let mut document = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Holdfast")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION)),
        )
        .servers(Some([ServerBuilder::new().url("/").build()]))
        .components(Some(Components::new()))
        .build();
    for (_, function) in functions() {
        document.merge(function);
    }
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The `access_token` of `POST /api/v1/auth/login`."))
        .build();
    if let Some(components) = &mut document.components {
        components.add_security_scheme(BEARER, SecurityScheme::Http(token));
    }
    document.tags = Some(tags());
    document
}

/// The document as it is committed.
///
/// # Errors
/// Never in practice: a document that cannot be written as JSON.
pub fn text() -> serde_json::Result<String> {
    Ok(document().to_pretty_json()? + "\n")
}

/// Each HTTP function's part.
pub fn functions() -> [(&'static str, OpenApi); 4] {
    fn part<S>(routes: OpenApiRouter<S>) -> OpenApi
    where
        S: Send + Sync + Clone + 'static,
    {
        routes.split_for_parts().1
    }
    [
        ("auth", part(auth::routes())),
        ("products", part(products::routes())),
        ("checkout", part(checkout::routes())),
        ("ops", part(ops::routes())),
    ]
}

fn tags() -> Vec<Tag> {
    TAGS.iter()
        .map(|(name, description)| {
            TagBuilder::new()
                .name(*name)
                .description(Some(*description))
                .build()
        })
        .collect()
}
