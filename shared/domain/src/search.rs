//! What does a listing that searches for a text look for?

use crate::JobId;

/// A job is found when its kind, queue, group, unique key, one of its tags, or the code or the message of its error contains
/// the text, or when its id begins with it. Letters of ASCII are the same in either case; all others are only themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// To be found in texts whose ASCII letters were made small.
    pub text: String,
    /// The first and the last id that begin with the text; `None`: no id can.
    pub ids: Option<(JobId, JobId)>,
}

/// Where an id as it is written has its hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Characters of an id as it is written.
const WRITTEN_CHARS: usize = 36;

impl Search {
    pub fn of(q: &str) -> Self {
        let text = q.to_ascii_lowercase();
        let ids = id_range(&text);
        Self { text, ids }
    }
}

fn id_range(text: &str) -> Option<(JobId, JobId)> {
    if text.len() > WRITTEN_CHARS {
        return None;
    }
    let (mut first, mut last) = ([0x00; 16], [0xff; 16]);
    let mut digits = 0;
    for (place, c) in text.chars().enumerate() {
        if HYPHENS.contains(&place) {
            if c != '-' {
                return None;
            }
            continue;
        }
        let digit = u8::try_from(c.to_digit(16)?).ok()?;
        let (byte, shift) = (digits / 2, if digits % 2 == 0 { 4 } else { 0 });
        first[byte] |= digit << shift;
        last[byte] &= !(0x0f << shift) | (digit << shift);
        digits += 1;
    }
    Some((JobId::from_bytes(first), JobId::from_bytes(last)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_searched_for_in_small_letters() {
        assert_eq!(Search::of("HTTP_503 É").text, "http_503 É");
    }

    #[test]
    fn what_no_id_begins_with_names_none() {
        for text in ["mail", "0192f0c1_", "0192f0c17", "0192f0c1-7b1e-7cc3-98c4-dc0c0c07398f0", "é", "-"] {
            assert_eq!(Search::of(text).ids, None, "{text}");
        }
    }

    proptest! {
        /// A range of ids holds exactly the ids that begin with the text.
        #[test]
        fn a_prefix_of_an_id_finds_it_and_no_other(id: u128, other: u128, length in 1_usize..=36, upper: bool) {
            let (id, other) = (JobId::from_bytes(id.to_be_bytes()), JobId::from_bytes(other.to_be_bytes()));
            let written = id.to_string();
            let prefix = if upper { written[..length].to_uppercase() } else { written[..length].to_owned() };
            let (first, last) = Search::of(&prefix).ids.expect("it is the beginning of an id");
            prop_assert!(first <= id && id <= last);
            prop_assert_eq!(first <= other && other <= last, other.to_string().starts_with(&written[..length]));
        }

        #[test]
        fn hostile_text_never_panics(text in "\\PC{0,120}") {
            let _ = Search::of(&text);
        }
    }
}
