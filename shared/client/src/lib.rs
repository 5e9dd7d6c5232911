//! `flotilla_client` talks to the API of a fleet: it submits jobs, watches them, acts on them and lists what there is, with
//! typed answers and typed errors. It depends on no other crate of the project, knows no state machine and decides nothing: what
//! it shows is what the server said.
//!
//! ```no_run
//! # async fn example() -> Result<(), flotilla_client::Error> {
//! use flotilla_client::{Client, NewJob};
//! use std::time::Duration;
//!
//! let client = Client::new("http://127.0.0.1:8080", "flt_…")?;
//! let payload = r#"{"url":"https://example.com/hook","data":{"order":7}}"#;
//! let job = client.submit(&NewJob::with_json("webhooks.deliver", payload)?.tag("orders")).await?;
//! let ended = client.wait(job.id, Duration::from_secs(60)).await?;
//! println!("{} after {} attempts", ended.state, ended.attempt);
//! # Ok(()) }
//! ```
//!
//! **Errors** are types: [`Error::Problem`] is a refusal with its stable `code`, a hint and the request's id, [`Error::Unreachable`]
//! says that nobody answered, [`Error::Unexpected`] that somebody did who does not speak this API.
//!
//! **Repeating**: a call that may have been lost is sent again by itself, but only if that cannot do anything twice: reads,
//! deletions, and submissions, each of which gets an `Idempotency-Key` of its own unless you gave one. A `Retry-After` is a floor
//! under the wait; waits grow and are jittered; tries, time and the bytes of an answer are bounded. See [`Builder`].
//!
//! **Growing servers**: unknown members of answers are ignored, and unknown words of a vocabulary, such as a new state, arrive as
//! `Other`. What an answer said word for word is in [`Answer::text`].

#![warn(missing_docs)]

mod access;
mod acts;
mod answer;
mod bulk;
mod call;
mod client;
mod dead;
mod error;
mod exchange;
mod fleet;
mod job;
mod jobs;
mod new_job;
mod pages;
mod patience;
mod sse;
mod stats;
mod submit;
mod watch;
mod word;

pub use access::{ApiKey, ApiKeys, AuditFilter, AuditPage, AuditRow, Endpoint, Endpoints, NewKey, Whoami};
pub use answer::Answer;
pub use bulk::{Act, Operation, OperationState, Operations};
pub use client::{Builder, Client};
pub use dead::{DeadFilter, DeadGroup, DeadGroups, DeadLetter, DeadLetters, Replayed};
pub use error::{Error, Invalid, Problem};
pub use fleet::{ClassView, Dependency, Health, Kind, Kinds, Queue, Queues, Rates, Worker, Workers};
pub use job::{AttemptLogs, Failure, Job, LogLine, Logs, Priority, Progress, State, Step, Timeline, WaitingFor};
pub use jobs::{JobFilter, JobPage, Outcome};
pub use new_job::{InvalidPayload, NewJob};
pub use pages::{Page, Pages};
pub use stats::{Minute, Staff, Stats, Totals};
pub use submit::{BatchLine, Submitted};
pub use watch::{Event, Watch};

/// A time as the API writes it: RFC 3339 in UTC.
pub type Time = chrono::DateTime<chrono::Utc>;

/// The id of a job, a key, an operation or a worker.
pub type Id = uuid::Uuid;
