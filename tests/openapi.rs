//! The contract: the functions' own documentation, merged into one document.

use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, RefOr, Response,
    ResponseBuilder, ServerBuilder, Tag,
};
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
    (
        "buying",
        "Carts, checkout, orders, payment methods and wallets.",
    ),
    ("rates", "Shipping and tax by country."),
    ("webhooks", "What the payment provider tells us."),
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
    operations(&mut document).for_each(add_problems);
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

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    let items = document.paths.paths.values_mut();
    items.flat_map(|item| {
        [
            item.get.as_mut(),
            item.post.as_mut(),
            item.put.as_mut(),
            item.patch.as_mut(),
            item.delete.as_mut(),
        ]
        .into_iter()
        .flatten()
    })
}

/// The problems that come from the edge and not from a handler, so that no handler has to list them.
fn add_problems(operation: &mut Operation) {
    let mut problems = vec![
        ("default", "Another problem."),
        (
            "429",
            "Too many requests of this caller; `Retry-After` says when to come back.",
        ),
    ];
    if operation
        .security
        .as_ref()
        .is_some_and(|all| !all.is_empty())
    {
        problems.push(("401", "No access token, or one that is not valid any more."));
    }
    if takes_header(operation, "Idempotency-Key") {
        problems.push((
            "400",
            "The `Idempotency-Key` is missing, or the body cannot be read.",
        ));
        problems.push(("409", "The first request with this key is still running."));
    }
    if takes_header(operation, "If-Match") {
        problems.push(("412", "It has changed since it was read."));
        problems.push(("428", "`If-Match` is missing."));
    }
    for (status, description) in problems {
        let responses = &mut operation.responses.responses;
        let problem = || RefOr::T(problem(description));
        responses.entry(status.to_owned()).or_insert_with(problem);
    }
}

fn takes_header(operation: &Operation, name: &str) -> bool {
    let parameters = operation.parameters.iter().flatten();
    parameters.into_iter().any(|parameter| match parameter {
        RefOr::T(parameter) => parameter.name.eq_ignore_ascii_case(name),
        RefOr::Ref(_) => false,
    })
}

fn problem(description: &str) -> Response {
    let body = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", body)
        .build()
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
