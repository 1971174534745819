//! What forms send, and what they offer.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Deserializer};
use shared::domain::dead_letters::ErrorClass;
use shared::domain::events::Queue;
use shared::store::dead_letters::Count;

use super::labels::Label;

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

/// An option of a `<select>`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// What is sent.
    pub(crate) value: String,
    /// What is read.
    pub(crate) label: String,
    /// Whether it stands there already.
    pub(crate) is_chosen: bool,
}

impl Choice {
    /// An option, and what is chosen among its neighbours.
    pub(crate) fn new(
        value: impl Into<String>,
        label: impl Into<String>,
        chosen: Option<&str>,
    ) -> Self {
        let value = value.into();
        Self {
            is_chosen: value == chosen.unwrap_or_default(),
            label: label.into(),
            value,
        }
    }
}

/// Any queue, or one.
pub(crate) fn queues(chosen: Option<&str>) -> Vec<Choice> {
    let all = Queue::ALL.map(Queue::name);
    any_or("any queue", all.map(|name| (name, name.to_owned())), chosen)
}

/// Any type, or one of those that there are dead letters of. A type may be of a later release.
pub(crate) fn types(counts: &[Count], chosen: Option<&str>) -> Vec<Choice> {
    let present = counts.iter().filter_map(|count| count.type_.as_deref());
    let all: BTreeSet<&str> = present.chain(chosen).collect();
    let all = all.into_iter().map(|name| (name, name.to_owned()));
    any_or("any type", all, chosen)
}

/// Any kind of failure, or one.
pub(crate) fn classes(chosen: Option<ErrorClass>) -> Vec<Choice> {
    let all = ErrorClass::ALL.map(|class| (class.name(), class.label()));
    any_or("any failure", all, chosen.map(ErrorClass::name))
}

fn any_or<'a>(
    any: &str,
    all: impl IntoIterator<Item = (&'a str, String)>,
    chosen: Option<&str>,
) -> Vec<Choice> {
    let all = all.into_iter();
    let all = all.map(|(value, label)| Choice::new(value, label, chosen));
    std::iter::once(Choice::new("", any, chosen))
        .chain(all)
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use axum::http::Uri;
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

    #[test]
    fn what_is_chosen_can_be_chosen_again() {
        let chosen = |choices: Vec<Choice>| {
            let chosen = choices.into_iter().filter(|choice| choice.is_chosen);
            chosen.map(|choice| choice.value).collect::<Vec<_>>()
        };
        assert_eq!(chosen(queues(None)), [""]);
        assert_eq!(chosen(queues(Some("mail"))), ["mail"]);
        assert_eq!(chosen(classes(Some(ErrorClass::Defect))), ["defect"]);
        // There is no dead letter of that type any more.
        assert_eq!(chosen(types(&[], Some("order_paid"))), ["order_paid"]);
    }
}
