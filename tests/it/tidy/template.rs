//! What the template says about each function.

use super::read;

pub(crate) const TEMPLATE: &str = "template.yaml";

/// One function's resource.
pub(crate) struct Deployed {
    /// Its folder in `functions`.
    pub function: String,
    /// Where the resource begins.
    pub line: usize,
    /// Its lines.
    pub text: String,
    /// The paths that the API routes to it.
    pub paths: Vec<String>,
}

/// Every resource with code of ours, in the template's order.
pub(crate) fn deployed() -> Vec<Deployed> {
    let template = read(TEMPLATE);
    let mut found = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    let mut begin = 1;
    for (number, line) in (1..).zip(template.lines().chain(["  End:"])) {
        let is_name = line.starts_with("  ")
            && !line[2..].starts_with([' ', '#', '-'])
            && line.trim_end().ends_with(':');
        if is_name {
            found.extend(of_block(begin, &block));
            block.clear();
            begin = number;
        }
        block.push(line);
    }
    found
}

fn of_block(line: usize, block: &[&str]) -> Option<Deployed> {
    let code = block
        .iter()
        .find_map(|line| line.trim().strip_prefix("CodeUri: target/lambda/"))?;
    Some(Deployed {
        function: code.trim_end_matches('/').to_owned(),
        line,
        text: block.join("\n"),
        paths: block.iter().filter_map(|line| path_in(line)).collect(),
    })
}

fn path_in(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("Path: ")?;
    let rest = rest.trim_start_matches('"');
    // A path itself may end in `{proxy+}`.
    let end = rest.find(['"', ',', ' ']).unwrap_or(rest.len());
    let path = &rest[..end];
    let surplus = path.matches('}').count() - path.matches('{').count();
    Some(path[..path.len() - surplus].to_owned())
}

#[test]
fn paths_are_read_with_and_without_quotes() {
    let one =
        "Auth: {Type: HttpApi, Properties: {ApiId: !Ref HttpApi, Method: ANY, Path: /api/v1/auth}}";
    let under = r#"Under: {Type: HttpApi, Properties: {Path: "/api/v1/auth/{proxy+}"}}"#;
    assert_eq!(path_in(one).unwrap(), "/api/v1/auth");
    assert_eq!(path_in(under).unwrap(), "/api/v1/auth/{proxy+}");
}
