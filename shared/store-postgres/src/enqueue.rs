//! Which submissions become jobs, and which are answered with an earlier one?

use std::collections::{BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use domain::bounds::IDEMPOTENCY_KEPT;
use domain::{JobId, NewJob, TenantId, Timestamp};
use sqlx::postgres::PgRow;
use store::{Acceptance, Accepted, Enqueued, Remembered, StoreError};

use crate::fault::Fault;
use crate::insert::{Inserted, insert_jobs};
use crate::lane::{Alone, Lane, Write};
use crate::reader::Reader;
use crate::row::{Columns, Space};
use crate::tx::{Sql, Tx, sql};

/// Records the jobs of several callers: of each all, or none.
pub(crate) struct Enqueue {
    pub(crate) calls: Vec<Vec<NewJob>>,
}

/// The idempotency key of the submission with this index was used for another request.
pub(crate) struct KeyReused(pub(crate) usize);

type Key<'k> = (&'k TenantId, Space, &'k str);
type OwnedKey = (String, Space, String);

/// What an open key stands for.
#[derive(Clone)]
struct Opened {
    job: JobId,
    request_hash: Option<[u8; 32]>,
    expires_at: Option<Timestamp>,
}

#[async_trait]
impl Write for Enqueue {
    type Reply = Vec<Result<Enqueued, KeyReused>>;
    const DOING: &'static str = "recording jobs";
    const LANE: Lane = Lane::Intake;

    fn rows(&self) -> usize {
        self.calls.iter().map(Vec::len).sum()
    }

    fn bytes(&self) -> usize {
        self.calls.iter().flatten().map(|job| job.payload.len()).sum()
    }

    fn alone(&self) -> Alone {
        let has_no_key = |job: &NewJob| job.idempotency.is_none() && job.unique.is_none();
        if self.calls.iter().flatten().all(has_no_key) { Alone::Repeatable } else { Alone::Transaction }
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let mut known = find_open(tx, &self.calls).await?;
        let decided: Vec<_> = self.calls.iter().map(|jobs| decide(jobs, &mut known, tx.now)).collect();
        let (mut new, mut cuts, mut opened) = (Vec::new(), Vec::new(), Vec::new());
        for decided in decided.iter().flatten() {
            cuts.push(new.len());
            new.extend(decided.new.iter().copied());
            opened.extend(&decided.opened);
        }
        let inserted = insert_jobs(tx, &new, &cuts).await?;
        // A job that was there already has had its window, and may have ended meanwhile.
        let had = |(_, space, _): &OwnedKey, opened: &Opened| *space == Space::Unique && inserted.repeated.contains(&opened.job);
        let opened: Vec<_> = opened.into_iter().filter(|(key, opened)| !had(key, opened)).collect();
        open_keys(tx, &opened).await?;
        let now = tx.now;
        Ok(decided.into_iter().map(|decided| decided.map(|decided| decided.enqueued(&inserted, now))).collect())
    }
}

fn keys(job: &NewJob) -> impl Iterator<Item = Key<'_>> {
    let idempotency = job.idempotency.as_ref().map(|idempotency| (&job.tenant, Space::Idempotency, &*idempotency.key));
    idempotency.into_iter().chain(job.unique.as_ref().map(|unique| (&job.tenant, Space::Unique, &*unique.key)))
}

async fn find_open(tx: &mut Tx<'_>, calls: &[Vec<NewJob>]) -> Result<HashMap<OwnedKey, Opened>, Fault> {
    let wanted: Vec<Key<'_>> = calls.iter().flatten().flat_map(keys).collect::<BTreeSet<_>>().into_iter().collect();
    let mut known = HashMap::new();
    if !wanted.is_empty() {
        read_open(&tx.rows(find(&wanted)).await?, tx.now, &mut known)?;
    }
    Ok(known)
}

fn find(wanted: &[Key<'_>]) -> Sql {
    sql(include_str!("../queries/job_dedup_find.sql"))
        .bind(wanted.iter().map(|(tenant, ..)| tenant.to_string()).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(_, space, _)| *space as i16).collect::<Vec<_>>())
        .bind(wanted.iter().map(|(.., key)| (*key).to_owned()).collect::<Vec<_>>())
}

fn read_open(rows: &[PgRow], now: Timestamp, known: &mut HashMap<OwnedKey, Opened>) -> Result<(), Fault> {
    for row in rows {
        let mut c = Columns::of(row);
        let tenant = c.text()?;
        let space = if c.int()? == i64::from(Space::Idempotency as u8) { Space::Idempotency } else { Space::Unique };
        let key = c.text()?;
        let opened = Opened { job: c.job_id()?, request_hash: c.maybe_bytes()?, expires_at: c.maybe_time()? };
        if opened.expires_at.is_none_or(|at| at > now) {
            known.insert((tenant, space, key), opened);
        }
    }
    Ok(())
}

/// What idempotency keys stand for, read without the writer.
pub(crate) async fn remembered(
    reader: &Reader,
    tenant: &TenantId,
    keys: &[String],
    now: Timestamp,
) -> Result<Vec<Option<Remembered>>, StoreError> {
    let wanted: Vec<Key<'_>> = keys.iter().map(|key| (tenant, Space::Idempotency, key.as_str())).collect();
    let mut known = HashMap::new();
    if !wanted.is_empty() {
        let doing = "looking up idempotency keys";
        let rows = reader.rows(doing, find(&wanted)).await?;
        read_open(&rows, now, &mut known).map_err(|fault| fault.into_error(doing))?;
    }
    let found = |key: &String| {
        let opened = known.get(&(tenant.to_string(), Space::Idempotency, key.clone()))?;
        Some(Remembered { job: opened.job, request_hash: opened.request_hash? })
    };
    Ok(keys.iter().map(found).collect())
}

#[derive(Default)]
struct Decided<'j> {
    accepted: Vec<Accepted>,
    new: Vec<&'j NewJob>,
    opened: Vec<(OwnedKey, Opened)>,
}

impl Decided<'_> {
    /// What this caller is told: its own part of what was written for all.
    fn enqueued(self, inserted: &Inserted, at: Timestamp) -> Enqueued {
        let ours: HashSet<JobId> = self.new.iter().map(|job| job.id).collect();
        let emissions = inserted.emissions.iter().filter(|emission| emission.jobs.first().is_some_and(|job| ours.contains(job)));
        let timers = inserted.timers.iter().filter(|(_, job, _)| ours.contains(job));
        Enqueued { accepted: self.accepted, at, emissions: emissions.cloned().collect(), next_timer: timers.map(|(at, ..)| *at).min() }
    }
}

/// Decides in the order of the submissions: the second user of a key gets the first's job. A call that is refused leaves no
/// trace in what is known.
fn decide<'j>(jobs: &'j [NewJob], known: &mut HashMap<OwnedKey, Opened>, now: Timestamp) -> Result<Decided<'j>, KeyReused> {
    let mut decided = Decided::default();
    for (index, job) in jobs.iter().enumerate() {
        let tenant = || job.tenant.to_string();
        let idempotency = job.idempotency.as_ref().map(|used| ((tenant(), Space::Idempotency, used.key.clone()), used.request_hash));
        if let Some((key, hash)) = &idempotency
            && let Some(earlier) = known.get(key)
        {
            if earlier.request_hash != Some(*hash) {
                decided.opened.iter().for_each(|(key, _)| _ = known.remove(key));
                return Err(KeyReused(index));
            }
            decided.accepted.push(Accepted { job: earlier.job, how: Acceptance::Replayed });
            continue;
        }
        let unique = job.unique.as_ref().map(|unique| ((tenant(), Space::Unique, unique.key.clone()), unique.window));
        // A repeated call finds the window that it opened itself.
        let first = unique.as_ref().and_then(|(key, _)| known.get(key)).map(|opened| opened.job).filter(|first| *first != job.id);
        let (id, how) = first.map_or((job.id, Acceptance::New), |first| (first, Acceptance::UniqueConflict));
        decided.accepted.push(Accepted { job: id, how });
        let mut open = |key: OwnedKey, request_hash, expires_at| {
            let opened = Opened { job: id, request_hash, expires_at };
            known.insert(key.clone(), opened.clone());
            decided.opened.push((key, opened));
        };
        // A conflict's key is remembered too, so that its repetition gets the same answer.
        if let Some((key, hash)) = idempotency {
            open(key, Some(hash), Some(now + IDEMPOTENCY_KEPT));
        }
        if let (Some((key, window)), Acceptance::New) = (unique, how) {
            open(key, None, window.map(|window| now + window));
        }
        if how == Acceptance::New {
            decided.new.push(job);
        }
    }
    Ok(decided)
}

/// Expired keys are taken over. That another process opened one meanwhile shows in the count.
async fn open_keys(tx: &mut Tx<'_>, opened: &[&(OwnedKey, Opened)]) -> Result<(), Fault> {
    if opened.is_empty() {
        return Ok(());
    }
    let statement = sql(include_str!("../queries/job_dedup_insert.sql"))
        .bind(opened.iter().map(|((tenant, ..), _)| tenant.clone()).collect::<Vec<_>>())
        .bind(opened.iter().map(|((_, space, _), _)| *space as i16).collect::<Vec<_>>())
        .bind(opened.iter().map(|((.., key), _)| key.clone()).collect::<Vec<_>>())
        .bind(opened.iter().map(|(_, opened)| *opened.job.as_uuid()).collect::<Vec<_>>())
        .bind(opened.iter().map(|(_, opened)| opened.request_hash.map(|hash| hash.to_vec())).collect::<Vec<_>>())
        .bind(opened.iter().map(|(_, opened)| opened.expires_at.map(Timestamp::micros)).collect::<Vec<_>>())
        .bind(tx.now.micros());
    let ours = tx.execute(statement).await?;
    if ours == opened.len() as u64 { Ok(()) } else { Err(Fault::Overtaken) }
}
