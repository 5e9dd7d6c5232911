//! Which submissions become jobs, and which are answered with an earlier one?

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use async_trait::async_trait;
use domain::bounds::IDEMPOTENCY_KEPT;
use domain::{JobId, NewJob, TenantId, Timestamp};
use sqlx::sqlite::SqliteRow;
use store::{Acceptance, Accepted, Enqueued, Remembered, StoreError};

use crate::emission::emissions;
use crate::fault::Fault;
use crate::insert::insert_jobs;
use crate::reader::Reader;
use crate::row::{Columns, Space};
use crate::rows::Rows;
use crate::tx::{Sql, Tx};
use crate::write_queue::Write;

static DEDUP_FIND: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/job_dedup_find.sql")));
static DEDUP_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/job_dedup_insert.sql")));

/// Records jobs: all of them, or none.
pub(crate) struct Enqueue {
    pub(crate) jobs: Vec<NewJob>,
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
    type Reply = Result<Enqueued, KeyReused>;
    const DOING: &'static str = "recording jobs";

    fn rows(&self) -> usize {
        self.jobs.len()
    }

    fn bytes(&self) -> usize {
        self.jobs.iter().map(|job| job.payload.len()).sum()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let known = find_open(tx, &self.jobs).await?;
        let decided = match decide(&self.jobs, known, tx.now) {
            Ok(decided) => decided,
            Err(refused) => return Ok(Err(refused)),
        };
        let inserted = insert_jobs(tx, &decided.new).await?;
        // A job that was there already has had its window, and may have ended meanwhile.
        let had = |(_, space, _): &OwnedKey, opened: &Opened| *space == Space::Unique && inserted.repeated.contains(&opened.job);
        let opened: Vec<_> = decided.opened.into_iter().filter(|(key, opened)| !had(key, opened)).collect();
        open_keys(tx, &opened).await?;
        let emissions = emissions(&inserted.queued, &tx.context.mint, tx.now);
        Ok(Ok(Enqueued { accepted: decided.accepted, at: tx.now, emissions, next_timer: inserted.next_timer }))
    }
}

fn keys(job: &NewJob) -> impl Iterator<Item = Key<'_>> {
    let idempotency = job.idempotency.as_ref().map(|idempotency| (&job.tenant, Space::Idempotency, &*idempotency.key));
    idempotency.into_iter().chain(job.unique.as_ref().map(|unique| (&job.tenant, Space::Unique, &*unique.key)))
}

async fn find_open(tx: &mut Tx<'_>, jobs: &[NewJob]) -> Result<HashMap<OwnedKey, Opened>, Fault> {
    let wanted: Vec<Key<'_>> = jobs.iter().flat_map(keys).collect::<BTreeSet<_>>().into_iter().collect();
    let mut known = HashMap::new();
    for statement in find_statements(&wanted) {
        let rows = tx.rows(statement).await?;
        read_open(&rows, tx.now, &mut known)?;
    }
    Ok(known)
}

fn find_statements<'k>(wanted: &'k [Key<'k>]) -> impl Iterator<Item = Sql> + Send + 'k {
    DEDUP_FIND.statements(wanted, |statement, (tenant, space, key)| {
        statement.bind(tenant.to_string()).bind(i64::from(*space as u8)).bind((*key).to_owned())
    })
}

fn read_open(rows: &[SqliteRow], now: Timestamp, known: &mut HashMap<OwnedKey, Opened>) -> Result<(), Fault> {
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
    for statement in find_statements(&wanted) {
        let doing = "looking up idempotency keys";
        let rows = reader.rows(doing, statement).await?;
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

/// Decides in the order of the submissions: the second user of a key inside one call gets the first's job.
fn decide(jobs: &[NewJob], mut known: HashMap<OwnedKey, Opened>, now: Timestamp) -> Result<Decided<'_>, KeyReused> {
    let mut decided = Decided::default();
    for (index, job) in jobs.iter().enumerate() {
        let tenant = || job.tenant.to_string();
        let idempotency = job.idempotency.as_ref().map(|used| ((tenant(), Space::Idempotency, used.key.clone()), used.request_hash));
        if let Some((key, hash)) = &idempotency
            && let Some(earlier) = known.get(key)
        {
            if earlier.request_hash != Some(*hash) {
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

/// Expired keys are taken over.
async fn open_keys(tx: &mut Tx<'_>, opened: &[(OwnedKey, Opened)]) -> Result<(), Fault> {
    DEDUP_INSERT
        .execute(tx, opened, |statement, ((tenant, space, key), opened)| {
            statement
                .bind(tenant.clone())
                .bind(i64::from(*space as u8))
                .bind(key.clone())
                .bind(opened.job.as_bytes().to_vec())
                .bind(opened.request_hash.map(|hash| hash.to_vec()))
                .bind(opened.expires_at.map(Timestamp::micros))
        })
        .await?;
    Ok(())
}
