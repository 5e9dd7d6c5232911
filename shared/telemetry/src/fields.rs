//! The names of fields in log lines. One name, one meaning; the unit is in the name.
//!
//! `tracing` macros need literals, so these constants document what the literals are, and the test of this
//! crate keeps the list sorted and free of doubles.

/// Name and meaning of every field.
pub const FIELDS: &[(&str, &str)] = &[
    ("attempt", "number of the try, from 1"),
    ("claim.id", "one claim of a worker"),
    ("code", "stable code of a refusal, as clients see it"),
    ("count", "how many things the line is about"),
    ("duty", "name of a housekeeping duty"),
    ("elapsed_ms", "how long it took, in milliseconds"),
    ("endpoint", "name of a webhook endpoint"),
    ("error", "the whole chain of an error"),
    ("grace_ms", "how long something may still take, in milliseconds"),
    ("job.id", "the job"),
    ("job.kind", "what kind of job"),
    ("job.run", "number of the claim: the fence"),
    ("outcome", "how an attempt ended: `succeeded` or a failure class"),
    ("queue.name", "the queue"),
    ("request.id", "the HTTP request"),
    ("slots", "jobs a worker runs at the same time"),
    ("status", "HTTP status"),
    ("tenant", "whose job or key"),
    ("trace.id", "W3C trace id"),
    ("why", "which of a few known reasons"),
    ("worker.id", "one worker process between start and end"),
];

#[cfg(test)]
mod tests {
    use super::FIELDS;

    #[test]
    fn fields_are_sorted_and_named_once() {
        assert!(FIELDS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }
}
