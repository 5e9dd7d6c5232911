//! The broker message: what a hint looks like on the wire, and which bytes are none.
//!
//! ```text
//! body        version 0x01 · priority 0..4 · length of the queue's name · the name · 1 to 32 job ids of 16 bytes
//! properties  message_id = emission id · content_type · delivery_mode 2 · timestamp (seconds) · headers: published_at (µs)
//! ```

use domain::bounds::{EMISSION_IDS_MAX, NAME_CHARS_MAX};
use domain::{Class, EmissionId, JobId, Priority, Timestamp};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

const VERSION: u8 = 1;
const CONTENT_TYPE: &str = "application/vnd.flotilla.hint.v1";
/// What every version's content type starts with.
const CONTENT_FAMILY: &str = "application/vnd.flotilla.hint.";
const PUBLISHED_AT: &str = "published_at";
/// Written to disk by the broker.
const PERSISTENT: u8 = 2;
const HEAD_BYTES: usize = 3;
const ID_BYTES: usize = 16;
/// No hint is longer.
pub(crate) const HINT_BYTES_MAX: usize = HEAD_BYTES + NAME_CHARS_MAX + EMISSION_IDS_MAX * ID_BYTES;

/// A hint as it came from the broker.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    pub emission: EmissionId,
    pub published_at: Timestamp,
    pub class: Class,
    pub jobs: Vec<JobId>,
}

/// Why a message is no hint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    Unparsable,
    UnknownVersion,
    Oversized,
}

impl Refusal {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unparsable => "unparsable",
            Self::UnknownVersion => "unknown_version",
            Self::Oversized => "oversized",
        }
    }
}

/// The body of a hint of `class`.
pub(crate) fn body(class: &Class, jobs: &[JobId]) -> Vec<u8> {
    let name = class.queue.as_str().as_bytes();
    let mut body = Vec::with_capacity(HEAD_BYTES + name.len() + jobs.len() * ID_BYTES);
    // Names have at most 64 characters.
    body.extend([VERSION, class.priority.code(), u8::try_from(name.len()).unwrap_or(u8::MAX)]);
    body.extend_from_slice(name);
    jobs.iter().for_each(|job| body.extend_from_slice(job.as_bytes()));
    body
}

pub(crate) fn properties(emission: EmissionId, published_at: Timestamp) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert(PUBLISHED_AT.into(), AMQPValue::LongLongInt(published_at.micros()));
    BasicProperties::default()
        .with_message_id(emission.to_string().into())
        .with_content_type(CONTENT_TYPE.into())
        .with_delivery_mode(PERSISTENT)
        .with_timestamp(u64::try_from(published_at.micros() / 1_000_000).unwrap_or(0))
        .with_headers(headers)
}

/// Reads a message. Whatever the bytes are, it answers.
pub(crate) fn decode(properties: &BasicProperties, body: &[u8]) -> Result<Hint, Refusal> {
    let content_type = properties.content_type().as_ref().map_or("", |text| text.as_str());
    if body.len() > HINT_BYTES_MAX {
        return Err(Refusal::Oversized);
    }
    if content_type != CONTENT_TYPE {
        let ours = content_type.starts_with(CONTENT_FAMILY);
        return Err(if ours { Refusal::UnknownVersion } else { Refusal::Unparsable });
    }
    if body.first().is_some_and(|version| *version != VERSION) {
        return Err(Refusal::UnknownVersion);
    }
    known(properties, body).ok_or(Refusal::Unparsable)
}

fn known(properties: &BasicProperties, body: &[u8]) -> Option<Hint> {
    let emission = properties.message_id().as_ref()?.as_str().parse().ok()?;
    let published_at = match properties.headers().as_ref()?.inner().get(PUBLISHED_AT)? {
        AMQPValue::LongLongInt(micros) => Timestamp::from_micros(*micros),
        _ => return None,
    };
    let (&[_, priority, name_bytes], rest) = body.split_first_chunk::<HEAD_BYTES>()?;
    let (name, ids) = rest.split_at_checked(usize::from(name_bytes))?;
    let queue = std::str::from_utf8(name).ok()?.parse().ok()?;
    let class = Class { queue, priority: Priority::from_code(priority).ok()? };
    let (ids, torn) = ids.as_chunks::<ID_BYTES>();
    let whole = torn.is_empty() && (1..=EMISSION_IDS_MAX).contains(&ids.len());
    whole.then(|| Hint { emission, published_at, class, jobs: ids.iter().map(|id| JobId::from_bytes(*id)).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::QueueName;
    use proptest::prelude::*;

    fn class() -> Class {
        Class { queue: QueueName::of("webhooks"), priority: Priority::High }
    }

    fn job(n: u8) -> JobId {
        JobId::from_bytes([n; 16])
    }

    fn emission() -> EmissionId {
        EmissionId::from_bytes([0xee; 16])
    }

    fn at() -> Timestamp {
        Timestamp::from_micros(1_763_640_000_123_456)
    }

    /// What this version wrote must be readable for ever: other processes of the fleet may be older or newer.
    #[test]
    fn the_bytes_are_these() {
        let mut golden = b"\x01\x03\x08webhooks".to_vec();
        golden.extend([[0xaa; 16], [0xbb; 16]].concat());
        assert_eq!(body(&class(), &[job(0xaa), job(0xbb)]), golden);
        let properties = properties(emission(), at());
        assert_eq!(properties.message_id().as_ref().map(|id| id.as_str()), Some("eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee"));
        assert_eq!(properties.content_type().as_ref().map(|kind| kind.as_str()), Some("application/vnd.flotilla.hint.v1"));
        assert_eq!((*properties.delivery_mode(), *properties.timestamp()), (Some(2), Some(1_763_640_000)));
        let hint = Hint { emission: emission(), published_at: at(), class: class(), jobs: vec![job(0xaa), job(0xbb)] };
        assert_eq!(decode(&properties, &golden), Ok(hint));
    }

    #[test]
    fn the_longest_hint_fits() {
        let class = Class { queue: "q".repeat(NAME_CHARS_MAX).parse().expect("a name"), priority: Priority::Bulk };
        let longest = body(&class, &[job(1); EMISSION_IDS_MAX]);
        assert_eq!(longest.len(), HINT_BYTES_MAX);
        assert!(decode(&properties(emission(), at()), &longest).is_ok());
    }

    #[test]
    fn what_is_no_hint_is_refused_with_its_reason() {
        let ours = properties(emission(), at());
        let good = body(&class(), &[job(1)]);
        let other = |kind: &str| ours.clone().with_content_type(kind.into());
        assert_eq!(decode(&ours, &vec![1; HINT_BYTES_MAX + 1]), Err(Refusal::Oversized));
        assert_eq!(decode(&other("application/vnd.flotilla.hint.v2"), &good), Err(Refusal::UnknownVersion));
        assert_eq!(decode(&ours, &[&[2], &good[1..]].concat()), Err(Refusal::UnknownVersion));
        assert_eq!(decode(&other("text/plain"), &good), Err(Refusal::Unparsable), "foreign");
        assert_eq!(decode(&BasicProperties::default(), &good), Err(Refusal::Unparsable));
        assert_eq!(decode(&ours.clone().with_message_id("7".into()), &good), Err(Refusal::Unparsable));
        assert_eq!(decode(&ours.clone().with_headers(FieldTable::default()), &good), Err(Refusal::Unparsable));
        assert_eq!(decode(&ours, &[]), Err(Refusal::Unparsable));
        assert_eq!(decode(&ours, &good[..good.len() - 1]), Err(Refusal::Unparsable), "torn");
        assert_eq!(decode(&ours, &body(&class(), &[])), Err(Refusal::Unparsable), "no ids");
        assert_eq!(decode(&ours, b"\x01\x09\x01q0123456789abcdef"), Err(Refusal::Unparsable), "no such priority");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(body in prop::collection::vec(any::<u8>(), 0..700), head in prop::option::of(Just([1_u8, 2, 3]))) {
            let ours = properties(emission(), at());
            let body: Vec<u8> = head.into_iter().flatten().chain(body).collect();
            if let Ok(hint) = decode(&ours, &body) {
                prop_assert_eq!(super::body(&hint.class, &hint.jobs), body, "what is read is what was written");
            }
        }

        #[test]
        fn what_is_written_is_read(ids in prop::collection::vec(any::<[u8; 16]>(), 1..=EMISSION_IDS_MAX), code in 0_u8..5, micros in 0_i64..i64::MAX) {
            let class = Class { queue: QueueName::of("q-1"), priority: Priority::from_code(code).expect("five") };
            let jobs: Vec<JobId> = ids.into_iter().map(JobId::from_bytes).collect();
            let published_at = Timestamp::from_micros(micros);
            let read = decode(&properties(emission(), published_at), &body(&class, &jobs));
            prop_assert_eq!(read, Ok(Hint { emission: emission(), published_at, class, jobs }));
        }
    }
}
