//! What a `<select>` offers.

use std::collections::BTreeSet;

use askama::Template;
use askama::filters::HtmlSafe;
use shared::domain::dead_letters::ErrorClass;
use shared::domain::events::Queue;
use shared::store::dead_letters::Count;

use super::labels::Label;

/// The options of a `<select>`, as they stand in it.
#[derive(Debug, Template)]
#[template(path = "console/choices.html")]
pub(crate) struct Choices(Vec<Choice>);

// Its template escapes what it is made of.
impl HtmlSafe for Choices {}

#[derive(Debug)]
struct Choice {
    /// What is sent.
    value: String,
    /// What is read.
    label: String,
    /// Whether it stands there already.
    is_chosen: bool,
}

impl Choices {
    /// What may be sent, with what is read for it, and what is chosen among these.
    pub(crate) fn new<V: Into<String>, L: Into<String>>(
        all: impl IntoIterator<Item = (V, L)>,
        chosen: Option<&str>,
    ) -> Self {
        let choice = |(value, label): (V, L)| {
            let value = value.into();
            Choice {
                is_chosen: value == chosen.unwrap_or_default(),
                label: label.into(),
                value,
            }
        };
        Self(all.into_iter().map(choice).collect())
    }

    /// Any, or one of these.
    pub(crate) fn any_or<V: Into<String>>(
        any: &str,
        all: impl IntoIterator<Item = (V, String)>,
        chosen: Option<&str>,
    ) -> Self {
        let all = all.into_iter().map(|(value, label)| (value.into(), label));
        let any = (String::new(), any.to_owned());
        Self::new(std::iter::once(any).chain(all), chosen)
    }
}

/// Any queue, or one.
pub(crate) fn queues(chosen: Option<&str>) -> Choices {
    let all = Queue::ALL.map(Queue::name);
    Choices::any_or("any queue", all.map(|name| (name, name.to_owned())), chosen)
}

/// Any type, or one of those that there are dead letters of. A type may be of a later release.
pub(crate) fn types(counts: &[Count], chosen: Option<&str>) -> Choices {
    let present = counts.iter().filter_map(|count| count.type_.as_deref());
    let all: BTreeSet<&str> = present.chain(chosen).collect();
    let all = all.into_iter().map(|name| (name, name.to_owned()));
    Choices::any_or("any type", all, chosen)
}

/// Any kind of failure, or one.
pub(crate) fn classes(chosen: Option<ErrorClass>) -> Choices {
    let all = ErrorClass::ALL.map(|class| (class.name(), class.label()));
    Choices::any_or("any failure", all, chosen.map(ErrorClass::name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(choices: &Choices) -> Vec<&str> {
        let chosen = choices.0.iter().filter(|choice| choice.is_chosen);
        chosen.map(|choice| choice.value.as_str()).collect()
    }

    #[test]
    fn what_is_chosen_can_be_chosen_again() {
        assert_eq!(chosen(&queues(None)), [""]);
        assert_eq!(chosen(&queues(Some("mail"))), ["mail"]);
        assert_eq!(chosen(&classes(Some(ErrorClass::Defect))), ["defect"]);
        // There is no dead letter of that type any more.
        assert_eq!(chosen(&types(&[], Some("order_paid"))), ["order_paid"]);
    }

    #[test]
    fn options_are_written_as_text() {
        let choices = Choices::new([("a\"b", "<b>")], Some("a\"b"));
        assert_eq!(
            choices.to_string().trim(),
            "<option value=\"a&#34;b\" selected>&#60;b&#62;</option>"
        );
    }
}
