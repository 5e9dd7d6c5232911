//! Reads the beginning of an answer and makes it fit to be shown.

use std::time::Duration;

use reqwest::Response;

/// Read at most, so that small answers leave their connection usable; of a longer one the rest, and the connection, is dropped.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Kept at most.
const KEPT_BYTES_MAX: usize = 1024;
/// The status has decided already: a body that drips is not worth a slot.
const READ_FOR: Duration = Duration::from_secs(5);

/// The beginning of an answer's body.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    pub text: Option<String>,
    pub truncated: bool,
}

/// Reads what there is within the limits and within `at_most`. An answer that breaks off is cut, not failed: the status came whole.
pub async fn excerpt(mut response: Response, at_most: Duration) -> Excerpt {
    let mut read = Vec::new();
    let whole = tokio::time::timeout(READ_FOR.min(at_most), async {
        while let Ok(chunk) = response.chunk().await {
            let Some(chunk) = chunk else { return true };
            read.extend_from_slice(&chunk[..chunk.len().min(READ_BYTES_MAX - read.len())]);
            if read.len() >= READ_BYTES_MAX {
                return false;
            }
        }
        false
    });
    let whole = whole.await.unwrap_or(false);
    let (text, cut) = sanitized(&read);
    Excerpt { text: Some(text).filter(|text| !text.is_empty()), truncated: cut || !whole }
}

/// At most [`KEPT_BYTES_MAX`] bytes of text without characters that control terminals or turn writing around.
fn sanitized(bytes: &[u8]) -> (String, bool) {
    let looked_at = bytes.len().min(KEPT_BYTES_MAX);
    let mut text: String = String::from_utf8_lossy(&bytes[..looked_at]).chars().map(harmless).collect();
    let end = text.floor_char_boundary(KEPT_BYTES_MAX);
    let cut = end < text.len() || looked_at < bytes.len();
    text.truncate(end);
    (text, cut)
}

const fn harmless(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' => char::REPLACEMENT_CHARACTER,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_and_direction_characters_do_not_pass() {
        let (text, cut) = sanitized("ok\n\x1b[31mred\u{202e}drawkcab\r\0".as_bytes());
        assert_eq!((text.as_str(), cut), ("ok\n\u{fffd}[31mred\u{fffd}drawkcab\u{fffd}\u{fffd}", false));
    }

    proptest! {
        #[test]
        fn any_bytes_become_short_harmless_text(bytes in proptest::collection::vec(any::<u8>(), 0..3_000)) {
            let (text, cut) = sanitized(&bytes);
            prop_assert!(text.len() <= KEPT_BYTES_MAX);
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert!(cut || bytes.len() <= KEPT_BYTES_MAX);
        }
    }
}
