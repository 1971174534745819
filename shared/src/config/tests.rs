//! A whole environment is read, and every fault of a broken one is named.

use super::*;

/// The least that makes a configuration.
pub(crate) fn complete() -> BTreeMap<String, String> {
    [
        ("STAGE", "test"),
        ("DB_HOSTS", "127.0.0.1:5441, 127.0.0.1:5442"),
        ("TOKEN_ISSUER", "https://shop.example"),
        ("TOKEN_AUDIENCE", "shop"),
        ("CARTS_TABLE", "carts"),
        ("CONTROL_TABLE", "control"),
        ("INTENTS_TABLE", "intents"),
        ("SESSIONS_TABLE", "sessions"),
        ("LIMITS_TABLE", "limits"),
        ("ORDERS_QUEUE_URL", "http://127.0.0.1/orders"),
        ("MAIL_QUEUE_URL", "http://127.0.0.1/mail"),
        ("CATALOGUE_QUEUE_URL", "http://127.0.0.1/catalogue"),
        ("MEDIA_BUCKET", "media"),
        ("CATALOGUE_BUCKET", "catalogue"),
        ("MEDIA_BASE_URL", "http://127.0.0.1/media"),
        ("SHOP_URL", "https://shop.example"),
        ("MAIL_FROM", "shop@shop.example"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

#[test]
fn complete_environment_is_read() {
    let config = Config::parse(complete()).unwrap();
    assert_eq!(
        config.database.hosts[1],
        DatabaseHost {
            host: "127.0.0.1".into(),
            port: 5442
        }
    );
    assert_eq!(config.secrets.jwt_public, "holdfast/test/jwt-public");
    assert_eq!(config.cache_ttl, Duration::from_secs(30));
    let allowance = Allowance {
        per_user: 100,
        per_address: 20,
    };
    assert_eq!(config.allowance, allowance);
}

#[test]
fn every_fault_is_reported_together() {
    let mut variables = complete();
    variables.remove("MAIL_FROM");
    variables.insert("SHOP_CURRENCY".into(), "euro".into());
    variables.insert("PG_POOL_MAX".into(), "many".into());
    variables.insert("DB_HOSTS".into(), "db:port".into());
    variables.insert("LIMIT_PER_ADDRESS".into(), "0".into());
    let faults = Config::parse(variables).unwrap_err().0;
    for name in [
        "MAIL_FROM",
        "SHOP_CURRENCY",
        "PG_POOL_MAX",
        "DB_HOSTS",
        "LIMIT_PER_ADDRESS",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(name)),
            "{name} in {faults:?}"
        );
    }
    assert_eq!(faults.len(), 5);
}

#[test]
fn hosts_are_taken_from_single_variables_and_json() {
    let mut variables = complete();
    variables.remove("DB_HOSTS");
    variables.insert("DB_HOST_PRIMARY".into(), "one".into());
    variables.insert("DB_HOST_REPLICA".into(), "two:6000".into());
    assert_eq!(
        Config::parse(variables.clone())
            .unwrap()
            .database
            .hosts
            .len(),
        2
    );
    variables.insert("DB_HOSTS".into(), r#"["one", "three"]"#.into());
    assert_eq!(Config::parse(variables).unwrap().database.hosts.len(), 3);
}

#[test]
fn second_endpoints_are_optional_and_a_half_given_one_is_a_fault() {
    let config = Config::parse(complete()).unwrap();
    assert_eq!((config.secrets_replica, config.smtp), (None, None));
    let mut variables = complete();
    variables.insert("SMTP_HOST".into(), "smtp.example".into());
    variables.insert(
        "SECRETS_SECONDARY_ENDPOINT_URL".into(),
        "http://127.0.0.1:4".into(),
    );
    let faults = Config::parse(variables.clone()).unwrap_err().0;
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].starts_with("SECRETS_SECONDARY_REGION"));
    variables.insert("SECRETS_SECONDARY_REGION".into(), "eu-west-1".into());
    let smtp = Config::parse(variables).unwrap().smtp.unwrap();
    assert_eq!((smtp.port, smtp.tls), (587, true));
}
