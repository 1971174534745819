//! Least rights: what the template grants is listed one by one, and what it does not grant is
//! refused to the functions' own roles on the deployed stack.

use aws_sdk_secretsmanager::config::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use local::aws;
use local::stack::STAGE;
use local::template::{Statement, TEMPLATE, Template};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::Stack;
use tests::environment::variables;
use tests::shop::eventually;
use tests::traces::tags;
use time::OffsetDateTime;

use crate::tidy::{Finding, none, root};

/// Holder of the right, resource, and why it cannot be narrower.
#[rustfmt::skip] // A table is read by the row.
const WILDCARDS: &[(&str, &str, &str)] = &[
    ("NetworkAccess",   "*",                             "network interfaces have no name before they are made, and EC2 takes no resource for describing them"),
    ("ProductsRole",    "${MediaBucket.Arn}/uploads/*",  "an upload is named by its picture's id"),
    ("ProductsRole",    "${MediaBucket.Arn}/products/*", "a picture is named by the ids of product and picture"),
    ("ProductsRole",    "${CatalogueBucket.Arn}/*",      "a page is named by the product's id or slug; read only"),
    ("CheckoutRole",    "${CatalogueBucket.Arn}/*",      "a price is named by its SKU; read only"),
    ("ProjectorRole",   "${CatalogueBucket.Arn}/*",      "it writes the pages of every product"),
    ("SweeperRole",     "${CatalogueBucket.Arn}/*",      "it mends the pages of every product"),
];

#[test]
fn every_right_names_its_actions_and_its_resources() {
    let template = Template::of(&root()).unwrap();
    let statements = template.statements();
    assert!(
        statements.len() > 50,
        "only {} statements",
        statements.len()
    );
    let mut findings = Vec::new();
    let mut needed = vec![false; WILDCARDS.len()];
    for statement in &statements {
        let mut find = |words: String| {
            findings.push(Finding::at(
                TEMPLATE,
                statement.line,
                format!("{}: {words}", statement.holder),
            ));
        };
        if statement.actions.is_empty() || statement.resources.is_empty() {
            find("a statement without actions or resources".to_owned());
        }
        if statement.effect != "Allow" {
            find(format!(
                "`{}`: rights are given, and never taken back",
                statement.effect
            ));
        }
        for action in statement
            .actions
            .iter()
            .filter(|action| action.contains(['*', '?']))
        {
            find(format!("`{action}` allows more than one action"));
        }
        for resource in statement
            .resources
            .iter()
            .filter(|resource| resource.contains(['*', '?']))
        {
            let row = WILDCARDS
                .iter()
                .position(|row| (row.0, row.1) == (statement.holder, resource));
            match row {
                Some(row) => needed[row] = true,
                None => find(format!(
                    "`{resource}` is not in WILDCARDS of tests/it/security/rights.rs"
                )),
            }
        }
    }
    for name in template.other_policies() {
        findings.push(Finding::at(
            TEMPLATE,
            1,
            format!("{name} has rights that no role lists"),
        ));
    }
    none(findings);
    assert!(
        needed.iter().all(|needed| *needed),
        "WILDCARDS has rows that nothing needs: {needed:?}"
    );
}

#[test]
fn every_function_has_a_role_that_no_other_has() {
    let template = Template::of(&root()).unwrap();
    let mut findings = Vec::new();
    for function in template.functions() {
        let own = format!("{}Role.Arn", function.resource.trim_end_matches("Function"));
        if function.text("Role") != Some(&own) {
            findings.push(Finding::at(
                TEMPLATE,
                function.line,
                format!("its role is not {own}"),
            ));
        }
    }
    none(findings);
}

/// A kind of resource: its type, the actions of which any is a right to it, and what to try.
struct Probe {
    kind: &'static str,
    service: &'static str,
    actions: &'static [&'static str],
    request: fn(&str) -> (Method, String, &'static str, Value),
}

const PROBES: &[Probe] = &[
    Probe {
        kind: "AWS::SecretsManager::Secret",
        service: "secretsmanager",
        actions: &["secretsmanager:GetSecretValue"],
        request: |id| {
            (
                Method::POST,
                "/".to_owned(),
                "secretsmanager.GetSecretValue",
                json!({ "SecretId": id }),
            )
        },
    },
    Probe {
        kind: "AWS::DynamoDB::Table",
        service: "dynamodb",
        actions: &["dynamodb:Scan"],
        request: |id| {
            (
                Method::POST,
                "/".to_owned(),
                "DynamoDB_20120810.Scan",
                json!({"TableName": id, "Limit": 1}),
            )
        },
    },
    Probe {
        kind: "AWS::SQS::Queue",
        service: "sqs",
        actions: &["sqs:ReceiveMessage"],
        request: |id| {
            let input = json!({"QueueUrl": id, "VisibilityTimeout": 0});
            (
                Method::POST,
                "/".to_owned(),
                "AmazonSQS.ReceiveMessage",
                input,
            )
        },
    },
    Probe {
        kind: "AWS::S3::Bucket",
        service: "s3",
        actions: &["s3:ListBucket"],
        request: |id| {
            (
                Method::GET,
                format!("/{id}?list-type=2&max-keys=1"),
                "",
                Value::Null,
            )
        },
    },
];

/// The stack's resources: type, and by their names in the template the real ones.
async fn deployed(stack: &Stack) -> Vec<(String, String, String)> {
    let path = format!("/?Action=DescribeStackResources&StackName=holdfast-{STAGE}");
    let answer = stack
        .aws("cloudformation", Method::GET, &path)
        .send()
        .await
        .unwrap();
    let text = answer.text().await.unwrap();
    let (kinds, logical, physical) = (
        tags(&text, "ResourceType"),
        tags(&text, "LogicalResourceId"),
        tags(&text, "PhysicalResourceId"),
    );
    kinds
        .into_iter()
        .zip(logical)
        .zip(physical)
        .map(|((kind, logical), physical)| (kind, logical, physical))
        .collect()
}

/// The credentials of a function's role, from an environment that was started for this if need be.
async fn credentials(stack: &Stack, function: &str) -> Credentials {
    let path = format!("/2015-03-31/functions/holdfast-{STAGE}-{function}/invocations");
    eventually("an environment", async || {
        if let Some(variables) = variables(function) {
            let of = |name: &str| variables.get(name).cloned();
            let (id, key) = (of("AWS_ACCESS_KEY_ID")?, of("AWS_SECRET_ACCESS_KEY")?);
            let token = of("AWS_SESSION_TOKEN");
            return Some(Credentials::new(id, key, token, None, "test"));
        }
        // It cannot read this, which is enough to make it start.
        let invoke = stack.aws("lambda", Method::POST, &path).body("{}");
        let _ = invoke.send().await;
        None
    })
    .await
}

/// What a probe asks about a resource, signed by a role.
fn signed(stack: &Stack, role: &Credentials, probe: &Probe, physical: &str) -> reqwest::Request {
    let (method, path, target, input) = (probe.request)(physical);
    let (url, body) = (
        format!("{}{path}", stack.aws_endpoint_url),
        input.to_string(),
    );
    let headers = [
        ("x-amz-target", target),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    let mut settings = SigningSettings::default();
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let identity = role.clone().into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(aws::REGION)
        .name(probe.service)
        .time(OffsetDateTime::now_utc().into())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let bytes = SignableBody::Bytes(body.as_bytes());
    let signable = SignableRequest::new(method.as_str(), &url, headers.into_iter(), bytes);
    let (signature, _) = sign(signable.unwrap(), &parameters).unwrap().into_parts();
    let mut request = http::Request::builder().method(method).uri(&url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut request = request.body(body).unwrap();
    signature.apply_to_request_http1x(&mut request);
    request.try_into().unwrap()
}

fn is_granted(statements: &[Statement<'_>], role: &str, probe: &Probe, logical: &str) -> bool {
    let mut own = statements
        .iter()
        .filter(|statement| statement.holder == role);
    own.any(|statement| {
        let mut resources = statement.resources.iter();
        statement
            .actions
            .iter()
            .any(|action| probe.actions.contains(action))
            && resources.any(|resource| resource.split('.').next() == Some(logical))
    })
}

#[tokio::test]
async fn role_reads_what_it_is_granted_and_is_refused_the_rest() {
    let stack = Stack::running();
    let template = Template::of(&root()).unwrap();
    let statements = template.statements();
    let resources = deployed(&stack).await;
    let http = reqwest::Client::new();
    let mut findings = Vec::new();
    let (mut granted, mut refused) = (0, 0);
    for function in template.functions() {
        let own = credentials(&stack, &function.name).await;
        let role = format!("{}Role", function.resource.trim_end_matches("Function"));
        for probe in PROBES {
            for (_, logical, physical) in resources.iter().filter(|one| one.0 == probe.kind) {
                let request = signed(&stack, &own, probe, physical);
                let answer = http.execute(request).await.unwrap();
                let (status, text) = (answer.status(), answer.text().await.unwrap());
                let was_refused = status.is_client_error() && text.contains("AccessDenied");
                let may = is_granted(&statements, &role, probe, logical);
                *(if may { &mut granted } else { &mut refused }) += 1;
                if was_refused == may || !may && status == StatusCode::OK {
                    findings.push(format!(
                        "{}, {logical}: {status} {text:.200}, granted: {may}",
                        function.name
                    ));
                }
            }
        }
    }
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
    assert!(
        granted > 30 && refused > 100,
        "{granted} granted, {refused} refused"
    );
}
