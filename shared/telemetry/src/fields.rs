//! The names of fields in log lines. One name, one meaning; the unit is in the name.
//!
//! The table of docs/telemetry.md is made of this list. `tracing` macros need literals, so these constants document what the literals are, and the test of this
//! crate keeps the list sorted and free of doubles.

/// Name and meaning of every field.
pub const FIELDS: &[(&str, &str)] = &[
    ("address", "where a process listens"),
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
    ("operation.id", "an act on many jobs"),
    ("outcome", "how an attempt ended: `succeeded`, a failure class, `deferred` or `abandoned`"),
    ("queue.name", "a queue of jobs, or the broker's name of one"),
    ("queues", "the queues a worker draws from"),
    ("reason", "why the broker or its reader refused a message, from a fixed list"),
    ("request.id", "the HTTP request; the same as in `x-request-id` and in the body of a refusal"),
    ("servers", "the servers a process works with, without logins"),
    ("slots", "jobs a worker runs at the same time"),
    ("status", "HTTP status"),
    ("step_secs", "how far a clock was set, in seconds"),
    ("trace.id", "W3C trace id"),
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
