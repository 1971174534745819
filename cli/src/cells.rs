//! What stands in the cells of tables that commands print.

/// The longest reason in a list, in characters.
const ERROR_CHARS_MAX: usize = 60;

/// A text, or a dash for none.
pub(crate) fn or_dash(value: Option<&str>) -> &str {
    value.unwrap_or("-")
}

/// An instant without the fraction of its second.
pub(crate) fn seconds(instant: &str) -> &str {
    instant.get(..19).unwrap_or(instant)
}

/// A reason, cut where a line would become too long.
pub(crate) fn cut(error: &str) -> String {
    if error.chars().count() <= ERROR_CHARS_MAX {
        return error.to_owned();
    }
    let begin: String = error.chars().take(ERROR_CHARS_MAX).collect();
    begin + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_reasons_are_cut_and_instants_lose_their_fraction() {
        assert_eq!(cut("short"), "short");
        assert_eq!(cut(&"é".repeat(100)).chars().count(), ERROR_CHARS_MAX + 1);
        assert_eq!(seconds("2026-11-01T12:00:00.5Z"), "2026-11-01T12:00:00");
        assert_eq!(seconds("odd"), "odd");
        assert_eq!(seconds(or_dash(None)), "-");
    }
}
