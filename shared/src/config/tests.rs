//! A whole environment is read, every fault of a broken one is named, and each function asks for
//! what it uses and for nothing else.

use std::time::Duration;

use super::*;
use crate::domain::limits::Allowance;

/// An environment that is enough for every function.
pub(crate) fn complete() -> BTreeMap<String, String> {
    [
        ("STAGE", "test"),
        ("DB_HOSTS", "127.0.0.1:5441, 127.0.0.1:5442"),
        ("CONTROL_TABLE", "control"),
        ("TOKEN_ISSUER", "https://shop.example"),
        ("TOKEN_AUDIENCE", "shop"),
        ("SESSIONS_TABLE", "sessions"),
        ("LIMITS_TABLE", "limits"),
        ("CORS_ALLOWED_ORIGINS", "https://shop.example"),
        ("CARTS_TABLE", "carts"),
        ("INTENTS_TABLE", "intents"),
        ("ORDERS_QUEUE_URL", "http://127.0.0.1/orders"),
        ("MAIL_QUEUE_URL", "http://127.0.0.1/mail"),
        ("CATALOGUE_QUEUE_URL", "http://127.0.0.1/catalogue"),
        ("ANALYTICS_QUEUE_URL", "http://127.0.0.1/analytics"),
        ("MEDIA_BUCKET", "media"),
        ("MEDIA_BASE_URL", "http://127.0.0.1/media"),
        ("CATALOGUE_BUCKET", "catalogue"),
        ("SHOP_URL", "https://shop.example"),
        ("MAIL_FROM", "shop@shop.example"),
        ("MAIL_IDENTITY", "shop.example"),
        ("WARM_TARGETS", "[]"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// A complete environment with these variables changed; an empty one is taken away.
pub(super) fn with(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut variables = complete();
    for (name, value) in changes {
        variables.insert((*name).to_owned(), (*value).to_owned());
    }
    variables
}

fn of(function: &str) -> &'static Checked {
    let mut all = FUNCTIONS.iter();
    all.find(|checked| checked.function == function).unwrap()
}

/// The faults of a function's environment.
pub(super) fn faults(function: &str, changes: &[(&str, &str)]) -> Vec<String> {
    let outcome = (of(function).check)(with(changes));
    outcome.err().map(|faults| faults.0).unwrap_or_default()
}

#[test]
fn complete_environment_is_read() {
    let config = AuthConfig::parse(complete()).unwrap();
    let second = DatabaseHost {
        host: "127.0.0.1".into(),
        port: 5442,
    };
    assert_eq!(config.base.database.hosts[1], second);
    assert_eq!(config.base.database.secret_id, "holdfast/test/db/auth");
    assert_eq!(config.edge.jwt_public, "holdfast/test/jwt-public");
    let allowance = Allowance {
        per_user: 100,
        per_address: 20,
    };
    assert_eq!(config.edge.allowance, allowance);
    let config = ProductsConfig::parse(complete()).unwrap();
    assert_eq!(config.cache_ttl, Duration::from_secs(30));
}

#[test]
fn every_function_starts_with_exactly_the_variables_that_it_asks_for() {
    let complete = complete();
    for checked in FUNCTIONS {
        let asked = (checked.variables)();
        let mut own = complete.clone();
        own.retain(|name, _| asked.contains(name));
        assert_eq!((checked.check)(own), Ok(()), "{}", checked.function);
    }
}

/// With no environment at all, a function says what it cannot do without.
#[test]
fn each_function_needs_what_it_uses_and_no_more() {
    const BASE: &[&str] = &["STAGE", "DB_HOSTS", "CONTROL_TABLE"];
    const HTTP: &[&str] = &[
        "TOKEN_ISSUER",
        "TOKEN_AUDIENCE",
        "SESSIONS_TABLE",
        "LIMITS_TABLE",
    ];
    const ORDERS: &[&str] = &["CARTS_TABLE", "INTENTS_TABLE", "CATALOGUE_BUCKET"];
    let (orders, mail, catalogue) = ("ORDERS_QUEUE_URL", "MAIL_QUEUE_URL", "CATALOGUE_QUEUE_URL");
    let analytics = "ANALYTICS_QUEUE_URL";
    let media: &[&str] = &["MEDIA_BUCKET", "MEDIA_BASE_URL"];
    let readiness: &[&str] = &["MAIL_FROM", "MAIL_IDENTITY", "CARTS_TABLE", "MEDIA_BUCKET"];
    let needs: [(&str, &[&[&str]]); 11] = [
        ("auth", &[BASE, HTTP, &[mail]]),
        (
            "products",
            &[
                BASE,
                HTTP,
                media,
                &["CATALOGUE_BUCKET", catalogue, analytics],
            ],
        ),
        (
            "checkout",
            &[BASE, HTTP, ORDERS, &[orders, mail, catalogue, analytics]],
        ),
        (
            "ops",
            &[BASE, HTTP, readiness, &[orders, mail, catalogue, analytics]],
        ),
        ("order-worker", &[BASE, ORDERS, &[orders, mail, analytics]]),
        ("mailer", &[BASE, &["MAIL_FROM", "SHOP_URL", mail]]),
        (
            "projector",
            &[BASE, &["CATALOGUE_BUCKET", catalogue, analytics]],
        ),
        (
            "dlq-replayer",
            &[BASE, &[orders, mail, catalogue, analytics]],
        ),
        (
            "sweeper",
            &[BASE, ORDERS, &[orders, mail, catalogue, analytics]],
        ),
        ("warmer", &[&["STAGE", "WARM_TARGETS"]]),
        ("key-rotator", &[BASE]),
    ];
    assert_eq!(needs.len(), FUNCTIONS.len());
    for (function, needed) in needs {
        let faults = (of(function).check)(BTreeMap::new()).unwrap_err().0;
        let said: BTreeSet<&str> = faults
            .iter()
            .filter_map(|fault| fault.split(' ').next())
            .collect();
        let needed: BTreeSet<&str> = needed.concat().into_iter().collect();
        assert_eq!(said, needed, "{function}");
        for fault in &faults {
            assert!(fault.contains(" is missing"), "{function}: {fault}");
        }
    }
}

/// Function, variable, value, the one fault.
#[rustfmt::skip] // A table is read by the row.
const FAULTY: &[(&str, &str, &str, &str)] = &[
    ("auth", "STAGE", "", "STAGE is missing: set it"),
    ("auth", "DB_HOSTS", "", "DB_HOSTS is missing (or DB_HOST_PRIMARY, DB_HOST_REPLICA, DB_HOST_FALLBACK)"),
    ("auth", "DB_HOSTS", "db:port", "DB_HOSTS has \"db:port\", which is not host or host:port"),
    ("auth", "DB_HOSTS", "[1]", "DB_HOSTS is not valid JSON: invalid type: integer `1`, expected a string at line 1 column 2"),
    ("projector", "DB_SSLMODE", "require", "DB_SSLMODE must be verify-full, or disable on a local stack"),
    ("sweeper", "PG_POOL_MAX", "many", "PG_POOL_MAX must be a whole number, not \"many\""),
    ("mailer", "PG_POOL_MAX", "0", "PG_POOL_MAX must be at least 1"),
    ("mailer", "PG_CONN_TIMEOUT", "0", "PG_CONN_TIMEOUT must be at least 1"),
    ("mailer", "MAIL_FROM", "the shop", "MAIL_FROM must be an address, alone or like Shop <orders@…>, not \"the shop\""),
    ("mailer", "SHOP_URL", "shop.example", "SHOP_URL must be like https://host, with nothing but a port or a path after it, not \"shop.example\""),
    ("mailer", "SMTP_SECRET_ID", "smtp", "SMTP_HOST is missing beside SMTP_SECRET_ID"),
    ("ops", "SMTP_PORT", "smtp", "SMTP_PORT must be a whole number, not \"smtp\""),
    ("auth", "SECRETS_SECONDARY_ENDPOINT_URL", "http://127.0.0.1:4", "SECRETS_SECONDARY_REGION is missing beside SECRETS_SECONDARY_ENDPOINT_URL"),
    ("checkout", "SHOP_CURRENCY", "euro", "SHOP_CURRENCY must be an ISO 4217 code of three upper-case letters"),
    ("checkout", "SHOP_COUNTRY", "Germany", "SHOP_COUNTRY must be an ISO 3166-1 code of two upper-case letters"),
    ("checkout", "LIMIT_PER_ADDRESS", "0", "LIMIT_PER_ADDRESS must be at least 1"),
    ("checkout", "CORS_ALLOWED_ORIGINS", "*,https://shop.example", "CORS_ALLOWED_ORIGINS has * and others beside it, which contradict it"),
    ("checkout", "CORS_ALLOWED_ORIGINS", "https://shop.example/", "CORS_ALLOWED_ORIGINS has \"https://shop.example/\", but an origin ends after its host or port"),
    ("order-worker", "STRIPE_BASE_URL", "stripe", "STRIPE_BASE_URL must be like https://host, with nothing but a port or a path after it, not \"stripe\""),
    ("products", "GW_CACHE_TTL", "half a minute", "GW_CACHE_TTL must be a whole number, not \"half a minute\""),
    ("warmer", "WARM_TARGETS", "", "WARM_TARGETS is missing: set it"),
    ("warmer", "WARM_TARGETS", "all", "WARM_TARGETS is not valid JSON: expected value at line 1 column 1"),
    ("warmer", "LOG_LEVEL", "shared=loud", "LOG_LEVEL must be a filter like info or info,sqlx=debug, not \"shared=loud\""),
    ("warmer", "OTEL_EXPORTER_OTLP_SECONDARY_ENDPOINT", "http://otlp", "OTEL_EXPORTER_OTLP_ENDPOINT is missing beside OTEL_EXPORTER_OTLP_SECONDARY_ENDPOINT"),
];

#[test]
fn every_fault_names_its_variable_and_what_is_expected() {
    for (function, name, value, fault) in FAULTY {
        let found = faults(function, &[(*name, *value)]);
        assert_eq!(found, [*fault], "{function} {name}={value}");
    }
}

#[test]
fn contradictions_between_variables_are_faults() {
    let same_region = [
        ("AWS_REGION", "eu-west-1"),
        ("SECRETS_SECONDARY_REGION", "eu-west-1"),
    ];
    assert_eq!(
        faults("auth", &same_region),
        ["SECRETS_SECONDARY_REGION is the function's own region: name another one"]
    );
    let twice = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://otlp"),
        ("OTEL_EXPORTER_OTLP_SECONDARY_ENDPOINT", "http://otlp/"),
    ];
    assert_eq!(
        faults("warmer", &twice),
        ["OTEL_EXPORTER_OTLP_SECONDARY_ENDPOINT is the same as the first: name another one"]
    );
}

#[test]
fn every_fault_is_reported_together() {
    let changes = [
        ("MAIL_FROM", ""),
        ("SHOP_URL", "shop"),
        ("PG_POOL_MAX", "many"),
        ("DB_HOSTS", "db:port"),
    ];
    let error = MailerConfig::parse(with(&changes)).unwrap_err();
    assert_eq!(error.0.len(), 4, "{error}");
    let message = error.to_string();
    assert!(
        message.starts_with("the configuration has 4 fault(s): "),
        "{message}"
    );
    for (name, _) in changes {
        assert!(message.contains(name), "{name} in {message}");
    }
}

#[test]
fn hosts_are_taken_from_single_variables_and_json() {
    let hosts = |changes: &[(&str, &str)]| {
        let config = ProjectorConfig::parse(with(changes)).unwrap();
        config.base.database.hosts.len()
    };
    let single = [("DB_HOST_PRIMARY", "one"), ("DB_HOST_REPLICA", "two:6000")];
    assert_eq!(hosts(&[[("DB_HOSTS", "")].as_slice(), &single].concat()), 2);
    let listed = [("DB_HOSTS", r#"["one", "three"]"#)];
    assert_eq!(hosts(&[listed.as_slice(), &single].concat()), 3);
}

#[test]
fn second_endpoints_are_optional() {
    let config = MailerConfig::parse(complete()).unwrap();
    assert_eq!(
        (config.base.secrets_replica, config.mail.smtp),
        (None, None)
    );
    let given = [
        ("SMTP_HOST", "smtp.example"),
        ("SECRETS_SECONDARY_REGION", "eu-west-1"),
    ];
    let config = MailerConfig::parse(with(&given)).unwrap();
    let smtp = config.mail.smtp.unwrap();
    assert_eq!((smtp.port, smtp.tls), (587, true));
    assert_eq!(config.base.secrets_replica.unwrap().region, "eu-west-1");
}

#[test]
fn given_secret_comes_before_the_store_and_its_file_before_its_value() {
    let given = [
        ("STRIPE_SECRET", "sk_from_the_environment"),
        ("DB_SECRET", "unused"),
        ("DB_SECRET_FILE", "/run/secrets/db"),
        ("DB_SECRET_ID", "shop/database"),
    ];
    let config = CheckoutConfig::parse(with(&given)).unwrap();
    let given = |id: &str| format!("{:?}", config.selling.base.given_secrets.get(id));
    assert_eq!(given("shop/database"), r#"Some(File("/run/secrets/db"))"#);
    let stripe = given("holdfast/test/stripe");
    assert!(stripe.starts_with("Some(Value("), "{stripe}");
    assert!(!stripe.contains("sk_from"), "{stripe}");
    assert_eq!(given("holdfast/test/jwt-public"), "None");
}

#[test]
fn login_of_the_second_mail_provider_is_given_or_named_or_nobody_signs_in() {
    let host = ("SMTP_HOST", "smtp.example");
    let smtp = |changes: &[(&str, &str)]| {
        let config = MailerConfig::parse(with(changes)).unwrap();
        config.mail.smtp.unwrap().secret_id
    };
    assert_eq!(smtp(&[host]), None);
    let named = smtp(&[host, ("SMTP_SECRET_ID", "shop/smtp")]);
    assert_eq!(named.as_deref(), Some("shop/smtp"));
    let given = smtp(&[host, ("SMTP_SECRET", "{}")]);
    assert_eq!(given.as_deref(), Some("holdfast/test/smtp"));
}
