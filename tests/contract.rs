//! The committed contract, as tests walk it: every operation, and what its body may be.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::openapi::{BEARER, PATH};

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// The document.
#[derive(Debug, Clone)]
pub struct Contract(Value);

/// A method of a path.
#[derive(Debug, Clone)]
pub struct Operation {
    /// From the origin on, with its parameters in braces.
    pub path: String,
    /// The method.
    pub method: Method,
    /// What the document says about it.
    pub spec: Value,
}

impl Contract {
    /// As it is committed.
    ///
    /// # Panics
    /// It is not there.
    pub fn committed() -> Self {
        let text = std::fs::read_to_string(PATH).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// One that somebody else has read or made.
    pub fn of(document: Value) -> Self {
        Self(document)
    }

    /// Every operation, path by path.
    ///
    /// # Panics
    /// The document has no paths.
    pub fn operations(&self) -> Vec<Operation> {
        let paths = self.0["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            METHODS.iter().filter_map(move |method| {
                let spec = item.get(method.as_str().to_lowercase())?.clone();
                let (path, method) = (path.clone(), method.clone());
                Some(Operation { path, method, spec })
            })
        });
        operations.collect()
    }

    /// The schema of an operation's JSON body, if it takes one.
    pub fn body<'a>(&'a self, operation: &'a Operation) -> Option<&'a Value> {
        let content = operation.spec.pointer("/requestBody/content")?;
        let schema = &content["application/json"]["schema"];
        // Of a body that may be missing, what it is when it is there.
        Some(self.resolved(schema.pointer("/oneOf/0").unwrap_or(schema)))
    }

    /// A body that this schema allows, with all that may be in it.
    ///
    /// # Panics
    /// The schema has something that is not known here.
    pub fn sample(&self, schema: &Value) -> Value {
        let schema = self.resolved(schema);
        for given in ["example", "default", "const"] {
            if let Some(value) = schema.get(given) {
                return value.clone();
            }
        }
        if let Some(values) = schema["enum"].as_array() {
            return values[0].clone();
        }
        match kind(schema) {
            "object" => {
                let members = members(schema);
                let member =
                    |(name, schema): (&String, &Value)| (name.clone(), self.sample(schema));
                Value::Object(members.iter().map(member).collect())
            }
            "array" => json!([self.sample(&schema["items"])]),
            "integer" | "number" => schema.get("minimum").cloned().unwrap_or(json!(1)),
            "boolean" => json!(true),
            "string" if schema["format"] == "uuid" => json!(ID),
            "string" => json!("text"),
            other => panic!("{other} in {schema}"),
        }
    }

    /// Where objects with members of their own are in a body of this schema, each with the names
    /// that it knows; the body itself is at the empty pointer.
    pub fn objects(&self, schema: &Value) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        self.find_objects(schema, String::new(), &mut found);
        found
    }

    fn find_objects(
        &self,
        schema: &Value,
        pointer: String,
        found: &mut BTreeMap<String, Vec<String>>,
    ) {
        let schema = self.resolved(schema);
        match kind(schema) {
            "object" if schema.get("properties").is_some() => {
                let members = members(schema);
                for (name, member) in members {
                    self.find_objects(member, format!("{pointer}/{name}"), found);
                }
                found.insert(pointer, members.keys().cloned().collect());
            }
            "array" => self.find_objects(&schema["items"], format!("{pointer}/0"), found),
            _ => {}
        }
    }

    /// Behind references, and without the alternative of being null.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            let target = self.0.pointer(reference.trim_start_matches('#'));
            return self.resolved(target.unwrap());
        }
        let alternatives = schema["oneOf"].as_array();
        let some = alternatives.and_then(|all| all.iter().find(|one| one["type"] != "null"));
        some.map_or(schema, |some| self.resolved(some))
    }
}

/// An id that nothing has.
pub const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// What a schema is of, null aside.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(kinds) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|kind| *kind != "null").unwrap_or_default()
        }
        kind => kind.as_str().unwrap_or_default(),
    }
}

fn members(schema: &Value) -> &Map<String, Value> {
    static NONE: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
    schema["properties"].as_object().unwrap_or(&NONE)
}

impl Operation {
    /// As people say it.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// What it may answer, by status.
    ///
    /// # Panics
    /// It says nothing.
    pub fn responses(&self) -> &Map<String, Value> {
        self.spec["responses"].as_object().unwrap()
    }

    /// Whether nobody gets past without an access token.
    pub fn demands_token(&self) -> bool {
        let schemes = self.spec["security"].as_array();
        // An empty scheme beside it means that the token is optional.
        schemes
            .is_some_and(|all| !all.is_empty() && all.iter().all(|one| one.get(BEARER).is_some()))
    }

    /// Whether a header is among its parameters.
    ///
    /// # Panics
    /// A parameter has no name.
    pub fn takes_header(&self, name: &str) -> bool {
        let parameters = self.spec["parameters"].as_array();
        parameters.is_some_and(|all| {
            all.iter().any(|one| {
                one["in"] == "header" && one["name"].as_str().unwrap().eq_ignore_ascii_case(name)
            })
        })
    }

    /// Its path with `value` for every parameter.
    pub fn filled(&self, value: &str) -> String {
        let parts = self.path.split('/');
        let filled = parts.map(|part| if part.starts_with('{') { value } else { part });
        filled.collect::<Vec<_>>().join("/")
    }
}
