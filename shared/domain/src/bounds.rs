//! Every bound of Flotilla in one place (invariant I7) - queues, buffers, pages, payloads, counts - with the relations between
//! them checked by the compiler. How long a single call may take stands where the call is made.

use std::num::NonZeroU32;
use std::time::Duration;

/// Jobs one claim, one flush or one duty's step touches at most.
pub const FLUSH_JOBS_MAX: usize = 1_000;
/// Bytes of one job's payload as received.
pub const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one request that carries one job: the payload and its envelope.
pub const REQUEST_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + 16 * 1024;
/// Jobs in one batch request.
pub const BATCH_JOBS_MAX: usize = 10_000;
/// Bytes of one batch request.
pub const BATCH_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Levels of arrays and objects in a payload.
pub const JSON_DEPTH_MAX: usize = 64;
/// Bytes of a stored result.
pub const RESULT_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of live output kept with a job.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// Captured log lines of one attempt; later ones are counted, not kept.
pub const LOG_LINES_MAX: usize = 1_000;
/// Bytes of one captured log line; the rest is cut.
pub const LOG_LINE_BYTES_MAX: usize = 4 * 1024;
/// Bytes of a failure's sentence; the rest is cut.
pub const FAILURE_MESSAGE_BYTES_MAX: usize = 2 * 1024;
/// Characters of an idempotency, unique or group key.
pub const KEY_CHARS_MAX: usize = 200;
/// Tags of one job.
pub const TAGS_MAX: usize = 16;
/// Characters of one tag.
pub const TAG_CHARS_MAX: usize = 64;
/// Characters of a queue, kind, tenant or endpoint name.
pub const NAME_CHARS_MAX: usize = 64;
/// Characters of a URL.
pub const URL_CHARS_MAX: usize = 2_048;
/// Rows of one listing page.
pub const PAGE_ROWS_MAX: usize = 200;
/// Rows of one listing page when the caller names no limit.
pub const PAGE_ROWS_DEFAULT: usize = 50;
/// Rows a listing with a rare filter looks at before it returns a short page and says where it stopped.
pub const PAGE_SCAN_ROWS_MAX: usize = 20_000;

/// Characters of the text that a listing searches for.
pub const SEARCH_CHARS_MAX: usize = 100;

/// Jobs that one step of an operation looks at: a transaction that others wait for must be short.
pub const OPERATION_STEP_JOBS: usize = 500;
/// Jobs that an operation may name one by one.
pub const OPERATION_IDS_MAX: usize = 1_000;
/// Jobs that may go ahead of the rest of an operation.
pub const CANARIES_MAX: u32 = 100;
/// How long an operation waits for its canaries to end.
pub const CANARIES_WAIT_MAX: Duration = hours(1);
/// How often an operation looks whether its canaries have ended.
pub const CANARIES_LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long operations are shown after their end.
pub const OPERATIONS_KEPT: Duration = days(30);
/// Operations that one listing shows.
pub const OPERATIONS_SHOWN_MAX: usize = 200;
/// Groups of dead letters that one listing shows.
pub const DEAD_GROUPS_MAX: usize = 200;

/// How far ahead `run_at` may lie.
pub const RUN_AT_AHEAD_MAX: Duration = days(400);
/// How long a handler may run at most, whatever its job asks for.
pub const TIMEOUT_MAX: Duration = hours(24);
/// The shortest timeout that can be asked for.
pub const TIMEOUT_MIN: Duration = Duration::from_millis(100);
/// Attempts a job may ask for.
pub const ATTEMPTS_MAX: u16 = 100;
/// Worker crashes after which a job is given up as `worker_lost`.
pub const CRASHES_MAX: u16 = 3;
/// Claims of one job that may end in a free deferral; past this every deferral costs an attempt.
pub const FREE_DEFERRALS_MAX: u32 = 200;
/// How long a job waits after its worker died, for each time that happened: a job that kills workers slows down.
pub const CRASH_BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait a rate-limited outcome may ask for.
pub const RATE_LIMIT_WAIT_MAX: Duration = hours(24);

/// How long a worker may run jobs without renewing (queue-core, *Fences and idempotence*).
pub const LEASE_FOR: Duration = Duration::from_secs(20);
/// How often a worker renews its lease.
pub const LEASE_RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long one renewal may take before it counts as missed.
pub const LEASE_RENEW_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a cancelled or timed-out handler may take to return before it is aborted.
pub const CANCEL_GRACE: Duration = Duration::from_secs(5);
/// How long a drain waits for running jobs before it hands the rest back.
pub const DRAIN_GRACE: Duration = Duration::from_secs(25);
/// Finished jobs a worker buffers while the store is away.
pub const SETTLE_BUFFER_MAX: usize = 20_000;

/// How long an idempotency key is remembered.
pub const IDEMPOTENCY_KEPT: Duration = hours(24);
/// How long succeeded jobs are kept unless their queue says otherwise.
pub const SUCCEEDED_KEPT: Duration = days(1);
/// How long dead jobs are kept unless their queue says otherwise.
pub const DEAD_KEPT: Duration = days(30);
/// How long cancelled and expired jobs are kept unless their queue says otherwise.
pub const STOPPED_KEPT: Duration = days(7);
/// How long a worker is shown after its lease ended.
pub const WORKER_KEPT: Duration = days(1);
/// How long the figures of queues are kept.
pub const STATS_KEPT: Duration = days(2);
/// How long the audit log goes back.
pub const AUDIT_KEPT: Duration = days(400);

/// Ids one class of the embedded broker holds; the rest waits in the store and is fetched when the class runs low.
pub const EMBEDDED_CLASS_IDS_MAX: usize = 100_000;
/// Ids of one class that one look for lost or refused hints fetches.
pub const RESEND_CLASS_IDS_MAX: usize = 20_000;
/// An overflowed class of the embedded broker is refilled when it holds no more than one part in this many.
pub const EMBEDDED_LOW_WATER_PARTS: usize = 8;
/// Ids in one broker message (queue-core, decision 7).
pub const EMISSION_IDS_MAX: usize = 32;
/// How long an emission may stay unconfirmed before it is sent again; doubled with each try, up to [`EMISSION_RETRY_MAX`].
pub const EMISSION_RETRY_AFTER: Duration = Duration::from_secs(5);
pub const EMISSION_RETRY_MAX: Duration = Duration::from_secs(60);
/// How long the broker may hold an emission before workers' progress says that it was lost.
pub const RECONCILE_AFTER: Duration = Duration::from_secs(15);
/// Broker messages that were no hints and are kept for people to look at.
pub const POISON_KEPT_MAX: usize = 10_000;
/// Partitions of the job table that exist ahead of time (queue-core, decision 5).
pub const PARTITIONS_AHEAD: u32 = 8;
/// With fewer left ahead, operators are told.
pub const PARTITIONS_AHEAD_MIN: u32 = 3;
/// Jobs that must be removable for an old partition to be compacted; fewer are deleted one by one.
pub const COMPACT_ROWS_MIN: usize = 10_000;
/// Jobs that may have to be kept of a partition that is compacted: they are copied.
pub const COMPACT_KEPT_MAX: usize = 20_000;
/// Claims that a worker has settled and of which its next renewal tells the store.
pub const ENDED_CLAIMS_MAX: usize = 20_000;
/// Messages of one class that a worker holds unacknowledged (queue-core, decision 7).
pub const PREFETCH_MESSAGES_MAX: u16 = 128;
/// Emissions that wait to be sent to RabbitMQ; what does not fit stays unconfirmed in the ledger.
pub const RABBIT_OUTBOX_MAX: usize = 4_096;
/// Messages sent to RabbitMQ that it has not confirmed yet.
pub const RABBIT_WINDOW_MAX: usize = 1_000;
/// Dead letters of RabbitMQ that are read ahead.
pub const RABBIT_DEAD_LETTERS_MAX: u16 = 16;
/// Bytes of a broker message that are kept when it turns out to be no hint.
pub const POISON_SAMPLE_BYTES_MAX: usize = 1024;
/// Jobs that one worker process may be told to run at the same time.
pub const WORKER_SLOTS_MAX: u32 = 10_000;
/// Live events on their way from handlers to the feed; what does not fit is a gap for readers.
pub const FEEDLINE_EVENTS_MAX: usize = 4_096;
/// Nudges on their way to the other processes; those that find no room become one "look at everything".
pub const NUDGES_OUT_MAX: usize = 1_024;
/// Nudges a listener may be behind before it is told to look at everything.
pub const NUDGES_BEHIND_MAX: usize = 1_024;
/// Hints of one class that wait on the express lane; the newest stay.
pub const EXPRESS_HINTS_MAX: usize = 64;
/// How long they wait there when nothing newer comes.
pub const EXPRESS_KEPT: Duration = Duration::from_secs(10);
/// A hint that was offered longer ago than this has been at a worker by way of the broker.
pub const EXPRESS_FRESH: Duration = Duration::from_millis(250);
/// Hints on their way to the express lane; those that find no room are left to the broker.
pub const EXPRESS_OUT_MAX: usize = 64;
/// How much later the broker gets its copy of a hint that was offered: its own write to the disk would be in the claim's way.
pub const EXPRESS_LEAD: Duration = Duration::from_millis(5);
/// Jobs of one request that count as lone: more of them go by the broker alone.
pub const EXPRESS_JOBS_MAX: usize = 4;
/// Jobs that a process may take in within a tenth of a second and still count as idle.
pub const EXPRESS_BUSY_JOBS: u32 = 20;
/// Emissions that a worker remembers to have claimed by the express lane.
pub const EXPRESS_REMEMBERED_MAX: usize = 256;
/// Events the live feed keeps for one job.
pub const FEED_EVENTS_MAX: usize = 512;
/// Bytes the live feed keeps for one job.
pub const FEED_JOB_BYTES_MAX: usize = FEED_BYTES_MAX / 4;
/// How long the shared live feed keeps a job's events after the last one.
pub const FEED_KEPT: Duration = hours(1);
/// How long it keeps them after the end of a run: by then the outcome, the log and the output are in the store.
pub const FEED_KEPT_ENDED: Duration = Duration::from_secs(300);
/// Jobs of the shared live feed that one process is told about at once; those who follow more look by themselves.
pub const FEED_FOLLOWED_MAX: usize = 4_096;
/// Jobs the in-process live feed keeps events of.
pub const FEED_JOBS_MAX: usize = 4_096;
/// Bytes the in-process live feed keeps in all.
pub const FEED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of one live output event; longer text becomes several.
pub const FEED_OUTPUT_BYTES_MAX: usize = 16 * 1024;
/// Bytes of results, logs and outputs that are recorded in one flush, unless one end alone has more.
pub const SETTLE_FLUSH_BYTES_MAX: usize = 8 * 1024 * 1024;

// ---- the API (crate `producer`)

/// Batches that are judged and recorded at the same time: each may be 32 MiB of text and as much again while it is judged.
pub const BATCHES_MAX: usize = 4;
/// Bytes of batch bodies in memory, from their arrival to their answer.
pub const BATCHES_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Bytes read and thrown away after a refusal, so that its caller hears why instead of a reset.
pub const DISCARDED_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a request that carries a few words: a reason, a key, an endpoint.
pub const SMALL_REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Members of a request's object; the rest of a larger one is not even looked at.
pub const MEMBERS_MAX: usize = 64;
/// Things that are wrong which one refusal lists.
pub const VIOLATIONS_MAX: usize = 20;
/// Characters of a reason that a person gives.
pub const REASON_CHARS_MAX: usize = 500;
/// Characters of a caller's request id; a longer one is exchanged for ours.
pub const REQUEST_ID_CHARS_MAX: usize = 64;
/// Bytes of a result that is shown inside its job; a longer one is fetched by itself.
pub const RESULT_SHOWN_BYTES_MAX: usize = 64 * 1024;
/// Readers that follow jobs live, in one process.
pub const FOLLOWERS_MAX: usize = 1_024;
/// API keys one process remembers for a moment.
pub const REMEMBERED_KEYS_MAX: usize = 4_096;
/// Bytes of single submissions' bodies in memory, from their arrival to their answer; batches have room of their own.
pub const BODIES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Look-ups of unknown keys at the same time, for addresses that have shown too many wrong ones.
pub const DOUBTFUL_KEYS_MAX: usize = 4;
/// Keys or addresses whose requests one process counts; those beyond share what one may.
pub const COUNTED_CALLERS_MAX: usize = 4_096;
/// Well-formed but wrong keys that one address may present in a minute.
pub const WRONG_KEYS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(60).expect("some");
/// Requests that one key may be allowed in a minute; more is no limit.
pub const RATE_LIMIT_MAX: u32 = 6_000_000;
/// Answers below this are not worth compressing.
pub const COMPRESSED_BYTES_MIN: u64 = 1024;
/// Large answers that are compressed at the same time; others leave as they are.
pub const COMPRESSED_AT_ONCE_MAX: usize = 4;

// ---- HTTP (crate `bootstrap`)

/// Bytes of a request's head.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Headers of a request.
pub const HTTP_HEADERS_MAX: usize = 100;
/// Bytes that one connection reads ahead, or keeps for a caller who is slow to take them.
pub const HTTP_BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Requests at the same time on one connection of HTTP/2.
pub const HTTP_STREAMS_MAX: u32 = 32;
/// Connections that find no place and are told so at the same time; those beyond are closed without a word.
pub const TURNED_AWAY_MAX: usize = 256;
/// Open connections and requests in work that one process may be allowed.
pub const CONNECTIONS_MAX: usize = 100_000;

const fn hours(n: u64) -> Duration {
    Duration::from_secs(n * 3_600)
}

const fn days(n: u64) -> Duration {
    hours(n * 24)
}

const _: () = {
    assert!(LEASE_FOR.as_secs() >= 3 * LEASE_RENEW_EVERY.as_secs(), "a lease must survive two missed renewals");
    assert!(LEASE_RENEW_TIMEOUT.as_secs() < LEASE_RENEW_EVERY.as_secs(), "a hanging renewal must end before the next");
    assert!(CANCEL_GRACE.as_secs() < DRAIN_GRACE.as_secs(), "a drain must leave time for a cancel's grace");
    assert!(BATCH_BYTES_MAX > REQUEST_BYTES_MAX, "a batch must hold at least one full job");
    assert!(JSON_DEPTH_MAX < 128, "the JSON parser itself refuses 128 levels; ours must be the one that speaks");
    assert!(SUCCEEDED_KEPT.as_secs() >= IDEMPOTENCY_KEPT.as_secs(), "a remembered key must find its job");
    assert!(CRASHES_MAX > 1, "one crash must not kill a job");
    assert!(RESEND_CLASS_IDS_MAX > EMBEDDED_CLASS_IDS_MAX / EMBEDDED_LOW_WATER_PARTS, "a refill must bring more than repeats");
    assert!(2 * FEED_OUTPUT_BYTES_MAX < FEED_JOB_BYTES_MAX, "a job must keep more than its last event");
    assert!(FEED_KEPT_ENDED.as_secs() <= FEED_KEPT.as_secs(), "an end must not make events live longer");
    assert!(FEED_OUTPUT_BYTES_MAX < FEED_BYTES_MAX, "the feed must hold at least one event");
    assert!(RESULT_BYTES_MAX < SETTLE_FLUSH_BYTES_MAX, "a flush must hold at least one result");
    assert!(WORKER_SLOTS_MAX as usize <= SETTLE_BUFFER_MAX, "every running job must find room for its end");
    assert!(EMISSION_IDS_MAX <= FLUSH_JOBS_MAX, "one message must fit one claim");
    assert!(PARTITIONS_AHEAD_MIN < PARTITIONS_AHEAD, "a fresh database must not be short of partitions");
    assert!(FLUSH_JOBS_MAX < COMPACT_ROWS_MIN, "what one pass deletes is no reason to compact");
    assert!(RABBIT_WINDOW_MAX <= RABBIT_OUTBOX_MAX, "what is on its way is less than what may wait");
    assert!(PAGE_ROWS_DEFAULT <= PAGE_ROWS_MAX && PAGE_ROWS_MAX < PAGE_SCAN_ROWS_MAX, "pages nest in scans");
    assert!(BATCHES_BYTES_MAX >= 2 * BATCH_BYTES_MAX, "one batch must always get through, whatever the others hold");
    assert!(BATCHES_MAX * BATCH_BYTES_MAX <= BATCHES_BYTES_MAX, "every turn must be able to hold a full batch");
    assert!(BATCHES_BYTES_MAX <= u32::MAX as usize, "the bytes are permits of a semaphore, counted in 32 bits");
    assert!(SMALL_REQUEST_BYTES_MAX > 4 * (REASON_CHARS_MAX + URL_CHARS_MAX), "a small request must hold its longest words");
    assert!(BODIES_BYTES_MAX >= 16 * REQUEST_BYTES_MAX, "a handful of large submissions must not shut out the others");
    assert!(BODIES_BYTES_MAX <= u32::MAX as usize, "the bytes are permits of a semaphore, counted in 32 bits");
    assert!(HTTP_HEAD_BYTES_MAX < HTTP_BUFFER_BYTES_MAX, "a head must be refused for its own size, not for its connection's");
    assert!(RESULT_SHOWN_BYTES_MAX <= RESULT_BYTES_MAX, "what is shown is part of what is kept");
    assert!(OPERATION_STEP_JOBS <= FLUSH_JOBS_MAX, "a step of an operation is a write like others");
    assert!(CANARIES_MAX as usize <= OPERATION_STEP_JOBS, "all canaries can be looked at in one step");
    assert!(CANARIES_LOOK_EVERY.as_secs() < CANARIES_WAIT_MAX.as_secs(), "canaries are looked at before they are given up");
    assert!(EXPRESS_FRESH.as_millis() < EXPRESS_KEPT.as_millis(), "what is kept for longer would never be claimed");
    assert!(EXPRESS_LEAD.as_millis() < EXPRESS_FRESH.as_millis(), "what is stale has been at the broker");
    assert!(EXPRESS_JOBS_MAX <= EMISSION_IDS_MAX, "a lone emission is one broker message");
    assert!(TIMEOUT_MIN.as_millis() < TIMEOUT_MAX.as_millis(), "timeouts are a range");
};
