//! Reads submissions from a request's body: their outline first, because a repeated request is answered before its
//! contents are judged.

mod check;
mod hint;
mod lines;

use std::fmt;

use bytes::Bytes;
use domain::bounds::{BATCH_JOBS_MAX, JSON_DEPTH_MAX, KEY_CHARS_MAX, VIOLATIONS_MAX};
use http::HeaderMap;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::body::{self, Format};
use crate::canonical;
use crate::form::Form;
use crate::json_text::inspect;
use crate::problem::{Problem, Violation};

pub use check::{Terms, fits, http_url, judge};

/// The code of what is wrong with a submission, unless there is a better one.
pub const INVALID_JOB: &str = "invalid_job";

/// One submission as it came: an object, not yet judged.
pub struct Item {
    pub form: Form,
    /// The hash of the whole object, when the request has an idempotency key.
    pub hash: Option<[u8; 32]>,
}

impl Item {
    fn of(text: &str, pointer: String, keyed: bool) -> Result<Self, Problem> {
        let form = Form::of(text, pointer, INVALID_JOB)?;
        let hash = if keyed { Some(canonical::hash(text).ok_or_else(|| Problem::invalid_json("the body cannot be read"))?) } else { None };
        Ok(Self { form, hash })
    }
}

/// The one submission of a body.
pub fn read_one(bytes: &Bytes, keyed: bool) -> Result<Item, Problem> {
    let text = body::text(bytes)?;
    inspect(text, JSON_DEPTH_MAX + 1).map_err(|flaw| Problem::invalid_json(flaw.sentence()))?;
    Item::of(text, String::new(), keyed)
}

/// The submissions of a batch's body.
pub fn read_batch(bytes: &Bytes, format: Format, keyed: bool) -> Result<Vec<Item>, Problem> {
    match format {
        Format::Json => read_list(bytes, keyed),
        Format::Lines => lines::read(bytes, keyed),
    }
}

fn read_list(bytes: &Bytes, keyed: bool) -> Result<Vec<Item>, Problem> {
    let text = body::text(bytes)?;
    inspect(text, JSON_DEPTH_MAX + 3).map_err(|flaw| Problem::invalid_json(flaw.sentence()))?;
    let mut form = Form::of(text, "", INVALID_JOB)?;
    let list = form.given("jobs");
    let texts = list.as_deref().and_then(|list| match serde_json::from_str::<Texts<'_>>(list.get()) {
        Ok(Texts(texts)) => Some(texts),
        Err(_) => {
            form.fault("jobs", "must be a list of jobs");
            None
        }
    });
    match texts.as_ref().map(Vec::len) {
        Some(0) => form.fault("jobs", "must have at least one job"),
        Some(count) if count > BATCH_JOBS_MAX => form.fault("jobs", format!("must have at most {BATCH_JOBS_MAX} jobs")),
        None if list.is_none() => form.fault("jobs", "is required"),
        Some(_) | None => {}
    }
    form.close()?;
    let mut items = Vec::new();
    let mut faults = Vec::new();
    for (index, text) in texts.unwrap_or_default().into_iter().enumerate() {
        let pointer = format!("/jobs/{index}");
        if !text.get().starts_with('{') {
            faults.push(Violation::new(INVALID_JOB, pointer, "must be an object"));
            if faults.len() > VIOLATIONS_MAX {
                break;
            }
            continue;
        }
        items.push(Item::of(text.get(), pointer, keyed)?);
    }
    if faults.is_empty() { Ok(items) } else { Err(Problem::invalid(INVALID_JOB, faults)) }
}

/// The idempotency key of a request, if it has one.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    let bytes = value.as_bytes();
    let valid = values.next().is_none() && (1..=KEY_CHARS_MAX).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    let text = std::str::from_utf8(bytes).ok().filter(|_| valid);
    text.map(|text| Some(text.to_owned())).ok_or_else(Problem::invalid_idempotency_key)
}

/// The texts of a list's elements; of a list that is too long, one more than it may have.
struct Texts<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;

        impl<'de> Visitor<'de> for Elements {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut texts = Vec::new();
                while texts.len() <= BATCH_JOBS_MAX {
                    let Some(text) = list.next_element()? else { return Ok(texts) };
                    texts.push(text);
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(texts)
            }
        }

        deserializer.deserialize_seq(Elements).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_one_short_visible_word() {
        let headers = |values: &[&str]| {
            let pairs =
                values.iter().map(|value| (http::HeaderName::from_static("idempotency-key"), value.parse().expect("a header's value")));
            pairs.collect::<HeaderMap>()
        };
        let append = |values: &[&str]| {
            let mut map = HeaderMap::new();
            values.iter().for_each(|value| {
                map.append("idempotency-key", value.parse().expect("a header's value"));
            });
            map
        };
        assert_eq!(idempotency_key(&headers(&[])).expect("none"), None);
        assert_eq!(idempotency_key(&headers(&["order-1"])).expect("valid"), Some("order-1".to_owned()));
        let long = "x".repeat(201);
        for bad in [&["a b"][..], &["é"], &[""], &[long.as_str()], &["a", "a"]] {
            assert!(idempotency_key(&append(bad)).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bodies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), keyed: bool) {
            let bytes = Bytes::from(bytes);
            let _ = (read_one(&bytes, keyed).is_ok(), read_batch(&bytes, Format::Json, keyed).is_ok());
        }

        #[test]
        fn nearly_valid_bodies_never_panic(text in r#"[\{\}\[\]",: a1\\u]{0,40}"#) {
            let one = Bytes::from(format!("{{\"kind\":\"k\",{text}}}"));
            let batch = Bytes::from(format!("{{\"jobs\":[{text}]}}"));
            let _ = (read_one(&one, true).is_ok(), read_batch(&batch, Format::Json, true).is_ok());
        }
    }
}
