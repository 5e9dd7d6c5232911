//! Which of the named jobs does a worker get?

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{ClaimId, ClaimedJob, Class, Emission, Event, JobId, JobState, Priority, QueueName, Timestamp, WorkerId};
use store::{Claim, Claimed, StoreError};
use uuid::Uuid;

use crate::fault::Fault;
use crate::head::Head;
use crate::lane::{Alone, Lane, Lanes, Write};
use crate::moves::{Move, apply};
use crate::row::{Columns, claimed, job_ids};
use crate::shelf::readable_or_shelve;
use crate::tx::{Sql, Tx, sql, sql_of};

/// The worker has no live lease; nothing was written.
pub(crate) struct Fenced;

/// Takes what can be claimed, and then, when some of the rest came too late, expires that. The rest is mostly noise, which costs a look.
pub(crate) async fn claim_jobs(lanes: &Lanes, claim: &Claim) -> Result<Result<Claimed, Fenced>, StoreError> {
    let jobs = match lanes.write(ClaimJobs { claim: claim.clone() }).await? {
        Ok(jobs) => jobs,
        Err(fenced) => return Ok(Err(fenced)),
    };
    let mut emissions = Vec::new();
    if jobs.len() < claim.jobs.len() {
        // What was claimed is claimed, whatever becomes of this: a job that is late has a timer, too.
        emissions = expire_late(lanes, claim).await.unwrap_or_else(|error| {
            tracing::debug!(claim.id = %claim.id, %error, "late jobs were not expired; their timers are due");
            Vec::new()
        });
    }
    Ok(Ok(Claimed { jobs, emissions }))
}

async fn expire_late(lanes: &Lanes, claim: &Claim) -> Result<Vec<Emission>, StoreError> {
    if lanes.write(FindLate { claim: claim.clone() }).await? {
        lanes.write(ExpireLate { claim: claim.clone() }).await
    } else {
        Ok(Vec::new())
    }
}

/// Whether any of a claim's jobs is past its start-before. A read, but on the claims' own connection: it must not wait behind what people
/// look at.
struct FindLate {
    claim: Claim,
}

#[async_trait]
impl Write for FindLate {
    type Reply = bool;
    const DOING: &'static str = "looking for late jobs";
    const LANE: Lane = Lane::Claims;

    fn rows(&self) -> usize {
        self.claim.jobs.len()
    }

    fn alone(&self) -> Alone {
        Alone::Repeatable
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        Ok(tx.row(late_ones(&self.claim, tx.now)).await?.is_some())
    }
}

/// Those of a claim's jobs that are past their start-before.
fn late_ones(claim: &Claim, now: Timestamp) -> Sql {
    sql_of(include_str!("../queries/job_late_of_class.sql"), &claim.jobs)
        .bind(claim.class.queue.to_string())
        .bind(i64::from(claim.class.priority.code()))
        .bind(now.micros())
}

/// Makes queued jobs running.
struct ClaimJobs {
    claim: Claim,
}

#[async_trait]
impl Write for ClaimJobs {
    type Reply = Result<Vec<ClaimedJob>, Fenced>;
    const DOING: &'static str = "claiming jobs";
    const LANE: Lane = Lane::Claims;

    fn rows(&self) -> usize {
        self.claim.jobs.len()
    }

    /// Two trips to the database less for every job that comes alone. Doing it twice would claim nothing the second time: whoever did
    /// not hear the reply adopts.
    fn alone(&self) -> Alone {
        Alone::OneStatement
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let jobs = &self.claim.jobs;
        let statement = claiming(&self.claim, tx.now, tx.shift());
        let mut rows = tx.rows(statement).await?;
        if rows.is_empty() {
            return Ok(Err(Fenced));
        }
        rows.retain(|row| !Columns::of(row).is_null());
        let found = readable_or_shelve(tx, &rows, claimed).await?;
        let mut found: HashMap<JobId, ClaimedJob> = found.into_iter().map(|job| (job.id, job)).collect();
        Ok(Ok(jobs.iter().filter_map(|id| found.remove(id)).collect()))
    }
}

fn claiming(claim: &Claim, now: Timestamp, shift: i64) -> Sql {
    sql_of(include_str!("../queries/job_claim.sql"), &claim.jobs)
        .bind(*claim.worker.as_uuid())
        .bind(*claim.id.as_uuid())
        .bind(claim.class.queue.to_string())
        .bind(i64::from(claim.class.priority.code()))
        .bind(now.micros())
        .bind(claim.hints.iter().map(|hint| *hint.as_uuid()).collect::<Vec<Uuid>>())
        .bind(shift)
}

/// The statement with nothing to claim, to have it planned.
pub(crate) fn nothing() -> Sql {
    let class = Class { queue: QueueName::of("none"), priority: Priority::Normal };
    let (id, worker) = (ClaimId::from_bytes([0; 16]), WorkerId::from_bytes([0; 16]));
    claiming(&Claim { id, worker, class, jobs: Vec::new(), hints: Vec::new() }, Timestamp::default(), 0)
}

pub(crate) async fn lease_is_live(tx: &mut Tx<'_>, worker: WorkerId) -> Result<bool, Fault> {
    let statement = sql(include_str!("../queries/worker_lease.sql")).bind(*worker.as_uuid()).bind(tx.shift());
    Ok(tx.row(statement).await?.is_some())
}

/// Jobs whose start-before passed while they waited in the queue; returns their callbacks.
struct ExpireLate {
    claim: Claim,
}

#[async_trait]
impl Write for ExpireLate {
    type Reply = Vec<Emission>;
    const DOING: &'static str = "expiring late jobs";
    const LANE: Lane = Lane::Claims;

    fn rows(&self) -> usize {
        self.claim.jobs.len()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let late: Vec<JobId> = job_ids(&tx.rows(late_ones(&self.claim, tx.now)).await?)?;
        let heads = Head::read_or_shelve(tx, &late).await?;
        // Some may have been cancelled or claimed before they were locked.
        let late = heads.into_iter().filter(|head| head.state == JobState::Queued && head.is_late(tx.now));
        let moves = late.map(|head| Move::new(head, Event::Expired)).collect::<Result<Vec<_>, _>>()?;
        Ok(apply(tx, &moves, &format!("worker:{}", self.claim.worker)).await?.emissions)
    }
}

/// Finds what a claim took whose reply was lost. On the claims' lane, so that it comes after a claim that still waits there.
pub(crate) struct Adopt {
    pub(crate) worker: WorkerId,
    pub(crate) claim: ClaimId,
}

#[async_trait]
impl Write for Adopt {
    type Reply = Result<Vec<ClaimedJob>, Fenced>;
    const DOING: &'static str = "adopting a claim";
    const LANE: Lane = Lane::Claims;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        if !lease_is_live(tx, self.worker).await? {
            return Ok(Err(Fenced));
        }
        let (worker, claim) = (*self.worker.as_uuid(), *self.claim.as_uuid());
        let found = tx.row(sql(include_str!("../queries/claim_find.sql")).bind(worker).bind(claim)).await?;
        let Some(found) = found else { return Ok(Ok(Vec::new())) };
        let ids = Columns::of(&found).job_list()?;
        let rows = tx.rows(sql_of(include_str!("../queries/job_adopt.sql"), &ids).bind(worker).bind(claim)).await?;
        Ok(Ok(readable_or_shelve(tx, &rows, claimed).await?))
    }
}
