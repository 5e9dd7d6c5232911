//! How do columns become values of the domain, and back? The one place that knows numbers and texts of the database.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use domain::{ClaimedJob, Failure, Job, JobId, JobState, KindInfo, Priority, Run, Timestamp, WaitingFor};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::{Row as _, ValueRef as _};
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

/// Reads the columns of a row in their order, whatever their width: the schema chooses that, the reader does not care.
pub(crate) struct Columns<'r> {
    row: &'r PgRow,
    at: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r PgRow) -> Self {
        Self { row, at: 0 }
    }

    /// Passes over columns.
    pub(crate) fn skip(&mut self, columns: usize) -> &mut Self {
        self.at += columns;
        self
    }

    fn raw(&mut self) -> Result<Option<&'r [u8]>, Fault> {
        let at = self.at;
        self.at += 1;
        let value = self.row.try_get_raw(at)?;
        if value.is_null() {
            return Ok(None);
        }
        Ok(Some(value.as_bytes().map_err(|error| Fault::rule(error.to_string()))?))
    }

    /// Whether the next column is null.
    pub(crate) fn is_null(&mut self) -> bool {
        self.raw().is_ok_and(|value| value.is_none())
    }

    fn some(&mut self) -> Result<&'r [u8], Fault> {
        let at = self.at;
        self.raw()?.ok_or_else(|| Fault::rule(format!("column {at} is null")))
    }

    pub(crate) fn int(&mut self) -> Result<i64, Fault> {
        number(self.some()?)
    }

    pub(crate) fn maybe_int(&mut self) -> Result<Option<i64>, Fault> {
        self.raw()?.map(number).transpose()
    }

    pub(crate) fn flag(&mut self) -> Result<bool, Fault> {
        Ok(self.int()? != 0)
    }

    pub(crate) fn number<T: TryFrom<i64>>(&mut self) -> Result<T, Fault> {
        let value = self.int()?;
        T::try_from(value).map_err(|_| Fault::rule(format!("{value} is out of range")))
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

    fn str(&mut self) -> Result<&'r str, Fault> {
        text(self.some()?)
    }

    fn maybe_str(&mut self) -> Result<Option<&'r str>, Fault> {
        self.raw()?.map(text).transpose()
    }

    pub(crate) fn text(&mut self) -> Result<String, Fault> {
        Ok(self.str()?.to_owned())
    }

    pub(crate) fn maybe_text(&mut self) -> Result<Option<String>, Fault> {
        Ok(self.maybe_str()?.map(str::to_owned))
    }

    fn shared(&mut self) -> Result<Arc<str>, Fault> {
        Ok(self.str()?.into())
    }

    fn maybe_shared(&mut self) -> Result<Option<Arc<str>>, Fault> {
        Ok(self.maybe_str()?.map(Arc::from))
    }

    /// A name, a trace: whatever is written as text.
    pub(crate) fn parsed<T: FromStr<Err: std::error::Error>>(&mut self) -> Result<T, Fault> {
        self.str()?.parse().map_err(|error: T::Err| Fault::rule(error.to_string()))
    }

    /// Ids are 16 bytes, hashes 32.
    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        array(self.some()?)
    }

    pub(crate) fn maybe_bytes<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Fault> {
        self.raw()?.map(array).transpose()
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>, Fault> {
        Ok(self.some()?.to_vec())
    }

    pub(crate) fn job_id(&mut self) -> Result<JobId, Fault> {
        Ok(JobId::from_bytes(self.bytes()?))
    }

    /// An array of ids.
    pub(crate) fn job_list(&mut self) -> Result<Vec<JobId>, Fault> {
        let at = self.at;
        self.at += 1;
        let ids: Vec<uuid::Uuid> = self.row.try_get(at)?;
        Ok(ids.into_iter().map(JobId::from_uuid).collect())
    }

    pub(crate) fn state(&mut self) -> Result<JobState, Fault> {
        JobState::from_code(self.number()?).map_err(|error| Fault::rule(error.to_string()))
    }

    pub(crate) fn priority(&mut self) -> Result<Priority, Fault> {
        Priority::from_code(self.number()?).map_err(|error| Fault::rule(error.to_string()))
    }

    pub(crate) fn maybe_waiting_for(&mut self) -> Result<Option<WaitingFor>, Fault> {
        let Some(code) = self.maybe_int()? else { return Ok(None) };
        let code = u8::try_from(code).map_err(|_| Fault::rule(format!("{code} is out of range")))?;
        WaitingFor::from_code(code).map(Some).map_err(|error| Fault::rule(error.to_string()))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        from_json(self.str()?)
    }

    fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Fault> {
        self.maybe_str()?.map(from_json).transpose()
    }
}

/// A boolean or an integer of any width, as the binary protocol has them.
fn number(bytes: &[u8]) -> Result<i64, Fault> {
    match bytes {
        [byte] => Ok(i64::from(*byte)),
        [a, b] => Ok(i64::from(i16::from_be_bytes([*a, *b]))),
        [a, b, c, d] => Ok(i64::from(i32::from_be_bytes([*a, *b, *c, *d]))),
        _ => Ok(i64::from_be_bytes(array(bytes)?)),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Fault> {
    std::str::from_utf8(bytes).map_err(|error| Fault::rule(error.to_string()))
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
pub(crate) fn job_ids(rows: &[PgRow]) -> Result<Vec<JobId>, Fault> {
    rows.iter().map(|row| Columns::of(row).job_id()).collect()
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

/// Text as the database can hold it: it has no place for the character NUL.
pub(crate) fn clean(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// A whole job, from the columns of the `job_*` queries that return it.
pub(crate) fn job(row: &PgRow) -> Result<Job, Fault> {
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
pub(crate) fn claimed(row: &PgRow) -> Result<ClaimedJob, Fault> {
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

pub(crate) fn kind(row: &PgRow) -> Result<KindInfo, Fault> {
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
