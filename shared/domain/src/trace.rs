//! W3C trace context: taken from the request, stored with the job, passed on to what the job calls.
//! Source: W3C Trace Context, section 3.2 (`traceparent`).

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The text is no valid `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid `traceparent` (expected 00-<32 hex>-<16 hex>-<2 hex>)")]
pub struct TraceError;

/// A trace and the span that caused the job.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TraceContext {
    trace: u128,
    span: u64,
    sampled: bool,
}

impl TraceContext {
    /// A new trace from a random id, for a request that brought none.
    pub fn from_random(random: Uuid) -> Self {
        let trace = random.as_u128().max(1);
        let span = u64::try_from(trace & u128::from(u64::MAX)).unwrap_or(1).max(1);
        Self { trace, span, sampled: true }
    }

    /// The trace id as 32 hex digits, as logs carry it.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace)
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

impl FromStr for TraceContext {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let parts: Vec<&str> = text.split('-').collect();
        let [version, trace, span, flags, rest @ ..] = parts.as_slice() else { return Err(TraceError) };
        let lower_hex = |part: &str, len| part.len() == len && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let shape = lower_hex(version, 2) && lower_hex(trace, 32) && lower_hex(span, 16) && lower_hex(flags, 2);
        // A higher version may carry more fields; version 00 may not, and ff is forbidden.
        if !shape || *version == "ff" || (*version == "00" && !rest.is_empty()) {
            return Err(TraceError);
        }
        let (trace, span) =
            (u128::from_str_radix(trace, 16).map_err(|_| TraceError)?, u64::from_str_radix(span, 16).map_err(|_| TraceError)?);
        let sampled = u8::from_str_radix(flags, 16).map_err(|_| TraceError)? & 1 == 1;
        if trace == 0 || span == 0 { Err(TraceError) } else { Ok(Self { trace, span, sampled }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_and_writes_the_header_of_the_specification() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(text.parse::<TraceContext>().expect("valid").to_string(), text);
    }

    #[test]
    fn refuses_what_the_specification_forbids() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let zero = format!("00-{}-{span}-01", "0".repeat(32));
        for bad in [
            "",
            "00",
            &zero,
            &format!("ff-{trace}-{span}-01"),
            &format!("00-{trace}-{span}-01-x"),
            &format!("00-{}-{span}-01", trace.to_uppercase()),
        ] {
            assert!(bad.parse::<TraceContext>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn hostile_headers_never_panic(text in "\\PC{0,80}") {
            let _ = text.parse::<TraceContext>();
        }
    }
}
