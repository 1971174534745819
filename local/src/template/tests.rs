//! A small template, read whole.

use super::*;

const SMALL: &str = r#"
Parameters:
  Stage: {Type: String}
  Mode: {Type: String, Default: 'on', AllowedValues: ['on', 'off']}
  Hosts: {Type: CommaDelimitedList, Default: 'a, b'}
  Many: {Type: Number, Default: 5, MinValue: 2}
Conditions:
  IsOn: !Equals [!Ref Mode, 'on']
  IsBig: !And [!Condition IsOn, !Not [!Equals [!Join ['', !Ref Hosts], '']]]
Globals:
  Function:
    Environment: {Variables: {STAGE: !Ref Stage, LEVEL: info}}
Resources:
  Queue: {Type: AWS::SQS::Queue}
  ShopFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: target/lambda/shop/
      ReservedConcurrentExecutions: !Ref Many
      Environment:
        Variables:
          <<:
            - &told
              HOSTS: !Join [';', !Ref Hosts]
              SECOND: !Select [1, !Ref Hosts]
          LEVEL: !If [IsBig, debug, !Ref AWS::NoValue]
          DB_SECRET_ID: !Sub 'holdfast/${Stage}/db'
          QUEUE: !Ref Queue
          TARGETS: !Sub ['${One}/${Queue}/${Queue.Arn}', {One: !Ref Stage}]
      Events:
        Api: {Type: HttpApi, Properties: {Path: "/api/{proxy+}"}}
        Default: {Type: HttpApi}
  WarmFunction:
    Type: AWS::Serverless::Function
    Properties: {CodeUri: target/lambda/warm/, Environment: {Variables: *told}}
"#;

fn given(values: &[(&str, &str)]) -> Values {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    values.iter().map(owned).collect()
}

#[test]
fn function_is_told_what_the_parameters_make_of_its_variables() {
    let template = Template::parse(SMALL).unwrap();
    let functions = template.functions();
    let shop = &functions[0];
    assert_eq!(
        (shop.name.as_str(), shop.resource),
        ("shop", "ShopFunction")
    );
    assert_eq!(SMALL.lines().nth(shop.line - 1).unwrap(), "  ShopFunction:");
    assert_eq!(shop.paths, ["/api/{proxy+}"]);
    let values = template.values(&given(&[("Stage", "prod")])).unwrap();
    let told = template.environment(shop, &values).unwrap();
    let expected = [
        ("STAGE", "prod"),
        ("LEVEL", "debug"),
        ("HOSTS", "a;b"),
        ("SECOND", "b"),
        ("DB_SECRET_ID", "holdfast/prod/db"),
        (
            "QUEUE",
            "https://sqs.eu-central-1.amazonaws.com/000000000000/Queue",
        ),
        (
            "TARGETS",
            "prod/https://sqs.eu-central-1.amazonaws.com/000000000000/Queue/Queue.Arn",
        ),
    ];
    assert_eq!(told, given(&expected));
    assert_eq!(template.concurrency(shop, &values).unwrap(), Some(5));
    assert!(shop.has_database() && !functions[1].has_database());
    let off = given(&[("Stage", "prod"), ("Mode", "off"), ("Many", "7")]);
    let off = template.values(&off).unwrap();
    let told = template.environment(shop, &off).unwrap();
    assert_eq!(told.get("LEVEL"), None);
    assert_eq!(template.concurrency(shop, &off).unwrap(), Some(7));
    assert_eq!(template.concurrency(&functions[1], &off).unwrap(), None);
}

#[test]
fn every_fault_of_the_parameters_is_told() {
    let template = Template::parse(SMALL).unwrap();
    let bad = given(&[("Mode", "maybe"), ("Many", "1"), ("Stages", "x")]);
    assert_eq!(
        template.values(&bad).unwrap_err(),
        [
            "Stages is no parameter of the template",
            "Stage is missing: it has no default",
            "Mode must be one of on, off, not \"maybe\"",
            "Many is out of bounds: 1",
        ]
    );
}
