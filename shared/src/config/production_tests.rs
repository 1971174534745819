//! What holds in production, rule by rule; and that none of it holds elsewhere.

use std::collections::BTreeMap;

use super::tests::complete;
use super::{Config, FUNCTIONS, MailerConfig};

/// What production has beside or instead of the rest.
const PRODUCTION: [(&str, &str); 13] = [
    ("STAGE", "prod"),
    ("DB_HOSTS", "one.shop-of-ada.com,two.shop-of-ada.com"),
    ("TOKEN_ISSUER", "https://api.shop-of-ada.com"),
    ("CORS_ALLOWED_ORIGINS", "https://shop-of-ada.com"),
    (
        "ORDERS_QUEUE_URL",
        "https://sqs.eu-west-1.amazonaws.com/1/orders",
    ),
    (
        "MAIL_QUEUE_URL",
        "https://sqs.eu-west-1.amazonaws.com/1/mail",
    ),
    (
        "CATALOGUE_QUEUE_URL",
        "https://sqs.eu-west-1.amazonaws.com/1/catalogue",
    ),
    (
        "ANALYTICS_QUEUE_URL",
        "https://sqs.eu-west-1.amazonaws.com/1/analytics",
    ),
    ("MEDIA_BASE_URL", "https://media.shop-of-ada.com"),
    ("SHOP_URL", "https://shop-of-ada.com"),
    ("MAIL_FROM", "Ada <orders@shop-of-ada.com>"),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "https://otlp.shop-of-ada.com",
    ),
    (
        "OTEL_EXPORTER_OTLP_SECONDARY_ENDPOINT",
        "https://otlp2.shop-of-ada.com",
    ),
];

fn production(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut variables = complete();
    for (name, value) in PRODUCTION.iter().chain(changes) {
        variables.insert((*name).to_owned(), (*value).to_owned());
    }
    variables
}

fn faults(function: &str, variables: BTreeMap<String, String>) -> Vec<String> {
    let mut all = FUNCTIONS.iter();
    let checked = all.find(|checked| checked.function == function).unwrap();
    (checked.check)(variables)
        .err()
        .map(|faults| faults.0)
        .unwrap_or_default()
}

#[test]
fn production_in_order_has_no_fault() {
    for checked in FUNCTIONS {
        let none: Vec<String> = Vec::new();
        assert_eq!(
            faults(checked.function, production(&[])),
            none,
            "{}",
            checked.function
        );
    }
}

/// Function, variable, value, what is wrong with it in production.
#[rustfmt::skip] // A table is read by the row.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    ("auth", "CORS_ALLOWED_ORIGINS", "*", "must not have * in production: list the origins"),
    ("auth", "CORS_ALLOWED_ORIGINS", "", "is missing: list the origins whose pages may call"),
    ("auth", "CORS_ALLOWED_ORIGINS", "http://ada.com", "must begin with https:// in production, not \"http://ada.com\""),
    ("sweeper", "DB_SSLMODE", "disable", "must be verify-full in production: nothing goes to the database in plain text"),
    ("sweeper", "DB_HOSTS", "127.0.0.1:5432", "still has the example's 127.0.0.1: put your own in its place"),
    ("warmer", "AWS_ENDPOINT_URL", "http://127.0.0.1:4566", "is a local stack's: leave it out in production"),
    ("mailer", "AWS_ENDPOINT_URL_SQS", "https://sqs.ada.com", "is a local stack's: leave it out in production"),
    ("checkout", "STRIPE_BASE_URL", "http://stripe.ada.com", "must begin with https:// in production, not \"http://stripe.ada.com\""),
    ("products", "MEDIA_UPLOAD_URL", "https://ada.com", "is a local stack's: leave it out in production, where browsers upload to the bucket"),
    ("products", "MEDIA_BASE_URL", "http://ada.com", "must begin with https:// in production, not \"http://ada.com\""),
    ("ops", "LIMIT_PER_USER", "100000", "must be at most 1000 in production, not a local stack's 100000"),
    ("ops", "LIMIT_PER_ADDRESS", "100000", "must be at most 200 in production, not a local stack's 100000"),
    ("ops", "TOKEN_ISSUER", "https://shop.example", "still has the example's shop.example: put your own in its place"),
    ("mailer", "MAIL_FROM", "Ada <ada@example.com>", "still has the example's example.com: put your own in its place"),
    ("mailer", "SMTP_HOST", "localhost", "still has the example's localhost: put your own in its place"),
    ("warmer", "OTEL_EXPORTER_OTLP_ENDPOINT", "", "is missing: in production traces have two places to go to"),
    ("warmer", "OTEL_EXPORTER_OTLP_SECONDARY_ENDPOINT", "", "is missing: in production traces have two places to go to"),
    ("auth", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://otlp.ada.com", "must begin with https:// in production, not \"http://otlp.ada.com\""),
];

#[test]
fn each_rule_of_production_is_broken_by_this_and_holds_nowhere_else() {
    for (function, name, value, reason) in BROKEN {
        let change = [(*name, *value)];
        let found = faults(function, production(&change));
        assert_eq!(found, [format!("{name} {reason}")], "{function} {value}");
        // Without a first endpoint a second one is a contradiction everywhere.
        if *name != "OTEL_EXPORTER_OTLP_ENDPOINT" {
            let mut elsewhere = production(&change);
            elsewhere.insert("STAGE".to_owned(), "dev".to_owned());
            let found = faults(function, elsewhere);
            assert_eq!(found, Vec::<String>::new(), "{name} in dev");
        }
    }
}

#[test]
fn second_region_is_one_of_aws() {
    let endpoint = "https://secrets.ada.com";
    let changes = [
        ("SECRETS_SECONDARY_REGION", "eu-west-1"),
        ("SECRETS_SECONDARY_ENDPOINT_URL", endpoint),
    ];
    assert_eq!(
        faults("auth", production(&changes)),
        ["SECRETS_SECONDARY_ENDPOINT_URL is a local stack's: leave it out in production"]
    );
}

#[test]
fn mail_is_never_sent_in_plain_text_but_on_a_local_stack() {
    let server = [("SMTP_HOST", "smtp.ada.com")];
    for (stage, encrypted) in [("prod", true), ("dev", true), ("local", false)] {
        let mut variables = production(&server);
        variables.insert("STAGE".to_owned(), stage.to_owned());
        let smtp = MailerConfig::parse(variables).unwrap().mail.smtp.unwrap();
        assert_eq!(smtp.tls, encrypted, "{stage}");
    }
}
