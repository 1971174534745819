//! Which trace something belongs to, as W3C Trace Context writes it.

use std::fmt;

use uuid::Uuid;

/// A `traceparent` of version 00, `00-<32 hex>-<16 hex>-<2 hex>`: whoever carries it on belongs to
/// the same trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(String);

impl TraceContext {
    /// Begins a trace, which nobody records yet.
    pub fn begin() -> Self {
        let (trace, span) = (Uuid::new_v4().simple(), Uuid::new_v4().simple());
        let span = span.to_string();
        Self(format!("00-{trace}-{}-00", &span[..16]))
    }

    /// Reads a `traceparent`; `None` when it is none that can be carried on.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let &[version, trace, span, flags] = parts.as_slice() else {
            return None;
        };
        let is_hex = |part: &str| {
            let mut bytes = part.bytes();
            bytes.all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        let is_some = |part: &str| part.bytes().any(|byte| byte != b'0');
        let lengths = [version.len(), trace.len(), span.len(), flags.len()];
        let well_formed = version == "00"
            && lengths == [2, 32, 16, 2]
            && [trace, span, flags].into_iter().all(is_hex)
            && is_some(trace)
            && is_some(span);
        well_formed.then(|| Self(text.to_owned()))
    }

    /// It as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The trace's id, 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_begun_can_be_carried_on() {
        let begun = TraceContext::begin();
        assert_eq!(begun.as_str().len(), EXAMPLE.len());
        assert_eq!(TraceContext::parse(begun.as_str()), Some(begun.clone()));
        assert_ne!(begun, TraceContext::begin());
    }

    #[test]
    fn trace_is_named_by_its_second_part() {
        let trace = TraceContext::parse(EXAMPLE).unwrap();
        assert_eq!(trace.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn what_is_no_traceparent_is_refused() {
        let changed = |from: &str, to: &str| EXAMPLE.replacen(from, to, 1);
        for text in [
            String::new(),
            EXAMPLE.to_uppercase(),
            changed("00-4b", "ff-4b"),
            changed("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            changed("00f067aa0ba902b7", &"0".repeat(16)),
            changed("-01", ""),
            changed("-01", "-01-more"),
            changed("-01", "-0g"),
        ] {
            assert_eq!(TraceContext::parse(&text), None, "{text}");
        }
    }
}
