//! How does a hint look on the express lane?

use coordination::ExpressHint;
use domain::bounds::EMISSION_IDS_MAX;
use domain::{Class, Emission, EmissionId, JobId, Timestamp};
use serde::{Deserialize, Serialize};

/// Raised when an older process would misunderstand.
const VERSION: u16 = 1;
/// Bytes of a ticket that are looked at; ours have about 300.
const BYTES_MAX: usize = 4 * 1024;

/// The class is told by the list that it is in.
#[derive(Serialize, Deserialize)]
struct Ticket {
    v: u16,
    emission: EmissionId,
    jobs: Vec<JobId>,
    /// Microseconds since 1970, by the store's clock.
    at: i64,
}

pub(crate) fn encode(hint: &ExpressHint) -> Vec<u8> {
    let ExpressHint { emission: Emission { id, class: _, jobs }, at } = hint;
    // It cannot fail: there is nothing in it that JSON does not know.
    serde_json::to_vec(&Ticket { v: VERSION, emission: *id, jobs: jobs.clone(), at: at.micros() }).unwrap_or_default()
}

/// `None`: this version does not know it.
pub(crate) fn decode(class: &Class, bytes: &[u8]) -> Option<ExpressHint> {
    if bytes.len() > BYTES_MAX {
        return None;
    }
    let Ticket { v, emission, jobs, at } = serde_json::from_slice(bytes).ok()?;
    let is_ours = v == VERSION && (1..=EMISSION_IDS_MAX).contains(&jobs.len());
    let emission = Emission { id: emission, class: class.clone(), jobs };
    is_ours.then_some(ExpressHint { emission, at: Timestamp::from_micros(at) })
}

#[cfg(test)]
mod tests {
    use domain::{Priority, QueueName};

    use super::*;

    fn class() -> Class {
        Class { queue: QueueName::of("webhooks"), priority: Priority::High }
    }

    #[test]
    fn tickets_are_an_agreement_between_versions() {
        let (id, job) = (EmissionId::from_bytes([1; 16]), JobId::from_bytes([2; 16]));
        let hint = ExpressHint { emission: Emission { id, class: class(), jobs: vec![job] }, at: Timestamp::from_micros(17) };
        let text = String::from_utf8(encode(&hint)).expect("JSON");
        assert_eq!(text, format!(r#"{{"v":1,"emission":"{id}","jobs":["{job}"],"at":17}}"#));
        assert_eq!(decode(&class(), text.as_bytes()), Some(hint));
    }

    #[test]
    fn what_is_unknown_is_passed_over() {
        let (id, job) = (EmissionId::from_bytes([1; 16]), JobId::from_bytes([2; 16]));
        let many = format!(r#""{job}","#).repeat(EMISSION_IDS_MAX) + &format!(r#""{job}""#);
        let tickets = [
            format!(r#"{{"v":2,"emission":"{id}","jobs":["{job}"],"at":17}}"#),
            format!(r#"{{"v":1,"emission":"{id}","jobs":[],"at":17}}"#),
            format!(r#"{{"v":1,"emission":"{id}","jobs":[{many}],"at":17}}"#),
            format!(r#"{{"v":1,"emission":"{id}","jobs":["{job}"]}}"#),
            format!(r#"{{"v":1,"emission":"{id}","jobs":["{job}"],"at":17}}{}"#, " ".repeat(BYTES_MAX)),
            "nonsense".to_owned(),
        ];
        for text in tickets {
            assert_eq!(decode(&class(), text.as_bytes()), None, "{text}");
        }
    }
}
