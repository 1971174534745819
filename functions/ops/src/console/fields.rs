//! What forms send.

use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer};

/// Reads a field. A browser sends those too that were left empty.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = Option::<String>::deserialize(deserializer)?;
    let text = text.as_deref().map(str::trim);
    let text = text.filter(|text| !text.is_empty());
    text.map(|text| T::deserialize(StrDeserializer::<D::Error>::new(text)))
        .transpose()
}

/// What was typed into a field, if anything was.
pub(crate) fn typed(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// An address with a query of what there is.
pub(crate) fn address<const N: usize>(path: &str, query: [(&str, Option<String>); N]) -> String {
    let mut written = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query {
        if let Some(value) = value {
            written.append_pair(name, &value);
        }
    }
    let written = written.finish();
    if written.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{written}")
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use axum::http::Uri;
    use shared::domain::dead_letters::ErrorClass;
    use uuid::Uuid;

    use super::*;

    #[derive(Deserialize)]
    struct Form {
        #[serde(default, deserialize_with = "given")]
        class: Option<ErrorClass>,
        #[serde(default, deserialize_with = "given")]
        id: Option<Uuid>,
        #[serde(default, deserialize_with = "given")]
        text: Option<String>,
    }

    fn read(query: &str) -> Result<Form, String> {
        let uri: Uri = format!("/console?{query}").parse().unwrap();
        let read = Query::<Form>::try_from_uri(&uri);
        read.map(|form| form.0).map_err(|error| error.to_string())
    }

    #[test]
    fn field_that_was_left_empty_is_absent() {
        for empty in ["", "class=&id=&text=", "class=+&text=%20"] {
            let form = read(empty).unwrap();
            assert_eq!((form.class, form.id, form.text), (None, None, None));
        }
        let form = read("class=no_answer&id=01890a5d-ac96-774b-bcce-b302099a8057&text=a+b");
        let form = form.unwrap();
        assert_eq!(form.class, Some(ErrorClass::NoAnswer));
        assert!(form.id.is_some());
        assert_eq!(form.text.as_deref(), Some("a b"));
        assert!(read("class=odd").is_err() && read("id=7").is_err());
    }

    #[test]
    fn address_holds_what_was_typed_and_nothing_that_is_empty() {
        let typed = Some("a&b=\"c\" é".to_owned());
        assert_eq!(
            address("/console/x", [("reason", typed), ("cursor", None)]),
            "/console/x?reason=a%26b%3D%22c%22+%C3%A9"
        );
        assert_eq!(address("/console/x", [("cursor", None)]), "/console/x");
    }
}
