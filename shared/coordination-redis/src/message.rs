//! How does a nudge look between processes?

use coordination::Nudge;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Raised when an older process would misunderstand; until then new nudges are merely unknown to it.
const VERSION: u16 = 1;
/// Bytes of a message that are looked at; ours have about 150.
const BYTES_MAX: usize = 4 * 1024;

#[derive(Serialize, Deserialize)]
struct Message {
    v: u16,
    /// The sending process, which has told its own listeners already.
    from: Uuid,
    /// `None`: some were lost, look at everything.
    nudge: Option<Nudge>,
}

pub(crate) fn encode(from: Uuid, nudge: Option<Nudge>) -> Vec<u8> {
    // It cannot fail: there is nothing in it that JSON does not know.
    serde_json::to_vec(&Message { v: VERSION, from, nudge }).unwrap_or_default()
}

/// Sender and nudge; `None` for what this version does not know.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Uuid, Option<Nudge>)> {
    if bytes.len() > BYTES_MAX {
        return None;
    }
    let Message { v, from, nudge } = serde_json::from_slice(bytes).ok()?;
    (v == VERSION).then_some((from, nudge))
}

#[cfg(test)]
mod tests {
    use domain::{JobId, Timestamp};

    use super::*;

    #[test]
    fn messages_are_an_agreement_between_versions() {
        let from = Uuid::from_u128(7);
        let job = JobId::from_bytes([1; 16]);
        let text = |nudge| String::from_utf8(encode(from, nudge)).expect("JSON");
        assert_eq!(text(Some(Nudge::Cancel { job })), format!(r#"{{"v":1,"from":"{from}","nudge":{{"cancel":{{"job":"{job}"}}}}}}"#));
        assert_eq!(text(Some(Nudge::Kinds)), format!(r#"{{"v":1,"from":"{from}","nudge":"kinds"}}"#));
        assert_eq!(text(None), format!(r#"{{"v":1,"from":"{from}","nudge":null}}"#));
        let at = Timestamp::from_micros(1_700_000_000_000_000);
        let all = [Nudge::Cancel { job }, Nudge::Timer { at }, Nudge::Kinds, Nudge::Emissions, Nudge::Operations];
        for nudge in all.map(Some).into_iter().chain([None]) {
            assert_eq!(decode(&encode(from, nudge)), Some((from, nudge)));
        }
    }

    #[test]
    fn what_is_unknown_is_passed_over() {
        let from = Uuid::from_u128(7);
        let later = [
            format!(r#"{{"v":2,"from":"{from}","nudge":"kinds"}}"#),
            format!(r#"{{"v":1,"from":"{from}","nudge":"tides"}}"#),
            r#"{"v":1,"nudge":"kinds"}"#.to_owned(),
            "nonsense".to_owned(),
            format!("{}{}", String::from_utf8(encode(from, None)).expect("JSON"), " ".repeat(BYTES_MAX)),
        ];
        for text in later {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
        let more = format!(r#"{{"v":1,"from":"{from}","nudge":"kinds","more":1}}"#);
        assert_eq!(decode(more.as_bytes()), Some((from, Some(Nudge::Kinds))), "additions are no new version");
    }
}
