//! How do columns become values of the domain, and back? The one place that knows numbers and texts of the database.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use domain::{ClaimedJob, Failure, Job, JobId, JobState, KindInfo, Priority, Run, Timestamp, WaitingFor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use store::LogLine;

use crate::fault::Fault;

/// The codes of `worker.state`.
pub(crate) mod worker_state {
    pub(crate) const LIVE: i64 = 0;
    pub(crate) const RETIRED: i64 = 1;
    pub(crate) const DEAD: i64 = 2;
}

/// The codes of `timer.what`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum TimerKind {
    Due = 0,
    Expire = 1,
}

/// The codes of `job_dedup.space`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub(crate) enum Space {
    Idempotency = 0,
    Unique = 1,
}

/// The codes of `effect.state`.
pub(crate) mod effect_state {
    pub(crate) const INTENT: i64 = 0;
    pub(crate) const CONFIRMED: i64 = 1;
    pub(crate) const FAILED: i64 = 2;
    pub(crate) const UNKNOWN: i64 = 3;
}

/// Reads the columns of a row in their order.
pub(crate) struct Columns<'r> {
    row: &'r SqliteRow,
    at: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r SqliteRow) -> Self {
        Self { row, at: 0 }
    }

    /// Passes over columns.
    pub(crate) fn skip(&mut self, columns: usize) -> &mut Self {
        self.at += columns;
        self
    }

    fn next(&mut self) -> usize {
        self.at += 1;
        self.at - 1
    }

    pub(crate) fn int(&mut self) -> Result<i64, Fault> {
        let at = self.next();
        Ok(self.row.try_get(at)?)
    }

    fn maybe_int(&mut self) -> Result<Option<i64>, Fault> {
        let at = self.next();
        Ok(self.row.try_get(at)?)
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Fault> {
        Ok(self.int()? != 0)
    }

    pub(crate) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Fault> {
        let value = self.int()?;
        T::try_from(value).map_err(|_| Fault::rule(format!("{value} is out of range")))
    }

    pub(crate) fn maybe_number<T: TryFrom<i64>>(&mut self) -> Result<Option<T>, Fault> {
        let convert = |value| T::try_from(value).map_err(|_| Fault::rule(format!("{value} is out of range")));
        self.maybe_int()?.map(convert).transpose()
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, Fault> {
        Ok(Timestamp::from_micros(self.int()?))
    }

    pub(crate) fn maybe_time(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.maybe_int()?.map(Timestamp::from_micros))
    }

    pub(crate) fn millis(&mut self) -> Result<Duration, Fault> {
        Ok(Duration::from_millis(self.number()?))
    }

    pub(crate) fn text(&mut self) -> Result<String, Fault> {
        let at = self.next();
        Ok(self.row.try_get(at)?)
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, Fault> {
        let at = self.next();
        Ok(self.row.try_get(at)?)
    }

    fn shared(&mut self) -> Result<Arc<str>, Fault> {
        let at = self.next();
        Ok(self.row.try_get::<&str, _>(at)?.into())
    }

    fn maybe_shared(&mut self) -> Result<Option<Arc<str>>, Fault> {
        let at = self.next();
        Ok(self.row.try_get::<Option<&str>, _>(at)?.map(Arc::from))
    }

    /// A name, a trace: whatever is written as text.
    pub(crate) fn parsed<T: FromStr<Err: std::error::Error>>(&mut self) -> Result<T, Fault> {
        let at = self.next();
        self.row.try_get::<&str, _>(at)?.parse().map_err(|error: T::Err| Fault::rule(error.to_string()))
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let at = self.next();
        array(self.row.try_get(at)?)
    }

    pub(crate) fn maybe_bytes<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Fault> {
        let at = self.next();
        self.row.try_get::<Option<&[u8]>, _>(at)?.map(array).transpose()
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>, Fault> {
        let at = self.next();
        Ok(self.row.try_get(at)?)
    }

    pub(crate) fn job_id(&mut self) -> Result<JobId, Fault> {
        Ok(JobId::from_bytes(self.bytes()?))
    }

    pub(crate) fn state(&mut self) -> Result<JobState, Fault> {
        JobState::from_code(self.number()?).map_err(|error| Fault::rule(error.to_string()))
    }

    pub(crate) fn priority(&mut self) -> Result<Priority, Fault> {
        Priority::from_code(self.number()?).map_err(|error| Fault::rule(error.to_string()))
    }

    pub(crate) fn maybe_waiting_for(&mut self) -> Result<Option<WaitingFor>, Fault> {
        let Some(code) = self.maybe_number()? else { return Ok(None) };
        WaitingFor::from_code(code).map(Some).map_err(|error| Fault::rule(error.to_string()))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        let at = self.next();
        from_json(self.row.try_get(at)?)
    }

    fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Fault> {
        let at = self.next();
        self.row.try_get::<Option<&str>, _>(at)?.map(from_json).transpose()
    }
}

fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Fault> {
    bytes.try_into().map_err(|_| Fault::rule(format!("{} bytes where {N} belong", bytes.len())))
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::rule(format!("a stored value cannot be read: {error}")))
}

pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|error| Fault::rule(format!("a value cannot be stored: {error}")))
}

/// The first column of every row.
pub(crate) fn job_ids(rows: &[SqliteRow]) -> Result<Vec<JobId>, Fault> {
    rows.iter().map(|row| Columns::of(row).job_id()).collect()
}

/// Ids as the JSON array of hex texts that statements take apart with `json_each` and `unhex`.
pub(crate) fn id_list<'a>(ids: impl IntoIterator<Item = &'a [u8; 16]>) -> String {
    let mut list = String::from("[");
    for id in ids {
        list.push_str(if list.len() == 1 { "\"" } else { ",\"" });
        push_hex(&mut list, id);
        list.push('"');
    }
    list.push(']');
    list
}

pub(crate) fn job_list<'a>(ids: impl IntoIterator<Item = &'a JobId>) -> String {
    id_list(ids.into_iter().map(JobId::as_bytes))
}

pub(crate) fn hex(id: &[u8; 16]) -> String {
    let mut text = String::with_capacity(32);
    push_hex(&mut text, id);
    text
}

fn push_hex(text: &mut String, id: &[u8; 16]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in id {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A whole job, from the columns of the `job_*` queries that return it.
pub(crate) fn job(row: &SqliteRow) -> Result<Job, Fault> {
    let mut c = Columns::of(row);
    Ok(Job {
        id: c.job_id()?,
        tenant: c.parsed()?,
        kind: c.parsed()?,
        queue: c.parsed()?,
        priority: c.priority()?,
        state: c.state()?,
        waiting_for: c.maybe_waiting_for()?,
        run: c.number()?,
        attempt: c.number()?,
        max_attempts: c.number()?,
        crashes: c.number()?,
        cancel_requested: c.flag()?,
        timeout: c.millis()?,
        created_at: c.time()?,
        run_at: c.time()?,
        start_before: c.maybe_time()?,
        started_at: c.maybe_time()?,
        finished_at: c.maybe_time()?,
        worker: c.maybe_bytes()?.map(domain::WorkerId::from_bytes),
        progress: c.maybe_json()?,
        payload: c.shared()?,
        result: c.maybe_shared()?,
        error: c.maybe_json::<Failure>()?,
        tags: c.json()?,
        group: c.maybe_text()?,
        callback_url: c.maybe_text()?,
        trace: c.parsed()?,
    })
}

/// A claimed job, from the columns of `job_claim` and `job_adopt`.
pub(crate) fn claimed(row: &SqliteRow) -> Result<ClaimedJob, Fault> {
    let mut c = Columns::of(row);
    Ok(ClaimedJob {
        id: c.job_id()?,
        run: c.number::<Run>()?,
        claim: domain::ClaimId::from_bytes(c.bytes()?),
        tenant: c.parsed()?,
        kind: c.parsed()?,
        queue: c.parsed()?,
        priority: c.priority()?,
        payload: c.shared()?,
        attempt: c.number()?,
        max_attempts: c.number()?,
        timeout: c.millis()?,
        due_at: c.time()?,
        started_at: c.time()?,
        cancel_requested: c.flag()?,
        edits: c.number()?,
        trace: c.parsed()?,
    })
}

pub(crate) fn kind(row: &SqliteRow) -> Result<KindInfo, Fault> {
    let mut c = Columns::of(row);
    Ok(KindInfo {
        name: c.parsed()?,
        queue: c.parsed()?,
        schema: c.shared()?,
        max_attempts: c.number()?,
        timeout: c.millis()?,
        retry: c.json()?,
        effects: c.json()?,
    })
}

/// Log lines as they are kept: one JSON text of an attempt.
pub(crate) fn lines_to_json(lines: &[LogLine]) -> Result<String, Fault> {
    let lines: Vec<(i64, &str, &str)> = lines.iter().map(|line| (line.at.micros(), &*line.level, &*line.message)).collect();
    to_json(&lines)
}

pub(crate) fn lines(c: &mut Columns<'_>) -> Result<Vec<LogLine>, Fault> {
    let lines: Vec<(i64, String, String)> = c.json()?;
    Ok(lines.into_iter().map(|(at, level, message)| LogLine { at: Timestamp::from_micros(at), level, message }).collect())
}
