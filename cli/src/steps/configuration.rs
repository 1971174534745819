//! Whether every function would start with what a stage tells it: the environments that the
//! template makes of the stage's parameters, through the parsing that the functions do themselves.

use local::template::{Template, Values};
use shared::config::{FUNCTIONS, Stage};

/// The stage's parameters, complete; and every fault of them and of what the functions are told.
/// What several functions have alike is told once.
pub(crate) fn check(
    template: &Template,
    stage: &str,
    given: &Values,
) -> (Option<Values>, Vec<String>) {
    let mut faults = Vec::new();
    if given.get("Stage").is_some_and(|named| named != stage) {
        faults.push(format!("Stage must be {stage}, as the stage is called"));
    }
    if Stage::new(stage).is_production() {
        faults.extend(alarms(given));
    }
    match template.values(given) {
        Err(wrong) => {
            faults.extend(wrong);
            (None, faults)
        }
        Ok(values) => {
            faults.extend(functions(template, &values));
            (Some(values), faults)
        }
    }
}

/// Somebody must be woken. No function knows of it, so only this asks.
fn alarms(given: &Values) -> Option<String> {
    let topic = given.get("AlarmTopic").map_or("", String::as_str);
    let is_topic = topic.starts_with("arn:") && topic.split(':').nth(2) == Some("sns");
    let words = "AlarmTopic must be the ARN of an SNS topic in production, not";
    (!is_topic).then(|| format!("{words} {topic:?}"))
}

fn functions(template: &Template, values: &Values) -> Vec<String> {
    // Each fault with the functions that have it, in the order in which they were found.
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut note =
        |fault: String, function: &str| match found.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, functions)) => functions.push(function.to_owned()),
            None => found.push((fault, vec![function.to_owned()])),
        };
    for function in template.functions() {
        let name = &function.name;
        let Some(checked) = FUNCTIONS.iter().find(|known| known.function == *name) else {
            note("has no configuration in shared/src/config".to_owned(), name);
            continue;
        };
        match template.environment(&function, values) {
            Err(error) => note(format!("{error:#}"), name),
            Ok(environment) => {
                let faults = (checked.check)(environment).err();
                for fault in faults.into_iter().flat_map(|faults| faults.0) {
                    note(fault, name);
                }
            }
        }
    }
    let words =
        |(fault, functions): (String, Vec<String>)| format!("{fault} ({})", functions.join(", "));
    found.into_iter().map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn template() -> Template {
        Template::of(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()).unwrap()
    }

    fn values(pairs: &[(&str, &str)]) -> Values {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    /// A shop in earnest.
    fn good() -> Values {
        values(&[
            ("Stage", "prod"),
            ("DbHosts", "db.shop-of-ada.com:5432,db-ro.shop-of-ada.com"),
            ("TokenIssuer", "https://api.shop-of-ada.com"),
            ("ShopUrl", "https://shop-of-ada.com"),
            ("MailFrom", "Ada <orders@shop-of-ada.com>"),
            ("MailIdentity", "shop-of-ada.com"),
            (
                "CorsAllowedOrigins",
                "https://shop-of-ada.com,https://admin.shop-of-ada.com",
            ),
            ("OtlpEndpoint", "https://otlp.shop-of-ada.com"),
            ("OtlpSecondaryEndpoint", "https://otlp2.shop-of-ada.com"),
            (
                "AlarmTopic",
                "arn:aws:sns:eu-central-1:123456789012:on-call",
            ),
        ])
    }

    #[test]
    fn good_stage_has_no_fault_and_everything_else_is_the_templates_default() {
        let (complete, faults) = check(&template(), "prod", &good());
        assert_eq!(faults, Vec::<String>::new());
        let complete = complete.unwrap();
        // The template's limits are what the API promises.
        assert_eq!(
            (&*complete["LimitPerUser"], &*complete["LimitPerAddress"]),
            ("100", "20")
        );
    }

    #[test]
    fn every_fault_of_a_stage_is_told_at_once_and_each_once() {
        let mut given = good();
        given.extend(values(&[
            ("Stage", "production"),
            ("DbSslMode", "disable"),
            ("CorsAllowedOrigins", "*"),
            ("StripeBaseUrl", "http://stripe.shop-of-ada.com"),
            ("MediaUploadUrl", "https://upload.shop-of-ada.com"),
            ("AwsEndpointUrl", "http://127.0.0.1:4566"),
            ("ShopCurrency", "euro"),
            ("LimitPerAddress", "100000"),
            ("OtlpEndpoint", "http://otlp.shop-of-ada.com"),
            ("OtlpSecondaryEndpoint", ""),
            ("AlarmTopic", "on-call"),
        ]));
        let (_, faults) = check(&template(), "prod", &given);
        let http = "auth, products, checkout, ops";
        let database =
            "auth, products, checkout, ops, order-worker, mailer, projector, dlq-replayer, sweeper";
        let all = format!("{database}, warmer, key-rotator");
        let database = format!("{database}, key-rotator");
        let mut expected = vec![
            "Stage must be prod, as the stage is called".to_owned(),
            "AlarmTopic must be the ARN of an SNS topic in production, not \"on-call\"".to_owned(),
            format!("AWS_ENDPOINT_URL is a local stack's: leave it out in production ({all})"),
            format!("OTEL_EXPORTER_OTLP_ENDPOINT must begin with https:// in production, not \"http://otlp.shop-of-ada.com\" ({all})"),
            format!("OTEL_EXPORTER_OTLP_SECONDARY_ENDPOINT is missing: in production traces have two places to go to ({all})"),
            format!("DB_SSLMODE must be verify-full in production: nothing goes to the database in plain text ({database})"),
            format!("LIMIT_PER_ADDRESS must be at most 200 in production, not a local stack's 100000 ({http})"),
            format!("CORS_ALLOWED_ORIGINS must not have * in production: list the origins ({http})"),
            "SHOP_CURRENCY must be an ISO 4217 code of three upper-case letters (auth, products, checkout, ops, order-worker, sweeper)".to_owned(),
            "MEDIA_UPLOAD_URL is a local stack's: leave it out in production, where browsers upload to the bucket (products)".to_owned(),
            "STRIPE_BASE_URL must begin with https:// in production, not \"http://stripe.shop-of-ada.com\" (checkout, ops, order-worker, sweeper)".to_owned(),
        ];
        expected.sort();
        let mut faults = faults;
        faults.sort();
        assert_eq!(faults, expected);
    }

    #[test]
    fn rehearsal_need_not_wake_anybody() {
        let mut given = good();
        given.insert("Stage".to_owned(), "dev".to_owned());
        for name in ["AlarmTopic", "OtlpEndpoint", "OtlpSecondaryEndpoint"] {
            given.remove(name);
        }
        let (_, faults) = check(&template(), "dev", &given);
        assert_eq!(faults, Vec::<String>::new());
    }

    #[test]
    fn example_in_the_file_has_no_fault_but_its_placeholders() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let given = super::super::stages::parameters(root, "prod").unwrap();
        let (_, faults) = check(&template(), "prod", &given);
        assert!(!faults.is_empty());
        for fault in faults {
            assert!(fault.contains("put your own in its place"), "{fault}");
        }
    }
}
