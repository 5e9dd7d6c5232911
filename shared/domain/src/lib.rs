//! `domain` is the vocabulary of Flotilla: what a job is, which states it has, what may happen to it.
//! It does no I/O, reads no clock and throws no dice: time and randomness are arguments.

mod act;
pub mod bounds;
mod class;
mod duration;
mod effect;
mod hint;
mod id;
mod job;
mod kind;
mod name;
mod operation;
mod outcome;
mod page;
mod retry;
mod search;
mod state;
mod time;
mod trace;

pub use act::{Act, Consequence, Standing};
pub use class::{Class, Emission, Priority, UnknownPriority};
pub use duration::{DurationError, format_duration, parse_duration};
pub use effect::{EffectPolicy, EffectState};
pub use hint::{ClassMark, DeadNotice, Doubt, Pace, PoisonMessage, Unsent};
pub use id::{ClaimId, EmissionId, IdError, JobId, KeyId, OperationId, Run, WorkerId};
pub use job::{ClaimedJob, Idempotency, Job, NewJob, Progress, Unique};
pub use kind::KindInfo;
pub use name::{EndpointName, KindName, NameError, QueueName, TenantId};
pub use operation::{NewOperation, Operation, OperationState, Target};
pub use outcome::{Failure, FailureClass, Outcome};
pub use page::{Cursor, DeadFilter, JobFilter};
pub use retry::{Attempted, Backoff, RetryPolicy, Stop, Verdict};
pub use search::Search;
pub use state::{Event, JobState, UnknownState, WaitingFor};
pub use time::{Timestamp, TimestampError};
pub use trace::{TraceContext, TraceError};
