//! Which of the named jobs does a worker get?

use std::collections::HashMap;

use async_trait::async_trait;
use domain::{ClaimId, ClaimedJob, Emission, Event, JobId, WorkerId};
use store::{Claim, Claimed};

use crate::fault::Fault;
use crate::head::Head;
use crate::lanes::Lane;
use crate::moves::{Move, apply};
use crate::row::{claimed, job_ids, job_list};
use crate::shelf::readable_or_shelve;
use crate::tx::{Tx, sql};
use crate::write_queue::Write;

/// The worker has no live lease; nothing was written.
pub(crate) struct Fenced;

/// Makes queued jobs running.
pub(crate) struct ClaimJobs {
    pub(crate) claim: Claim,
}

#[async_trait]
impl Write for ClaimJobs {
    type Reply = Result<Claimed, Fenced>;
    const DOING: &'static str = "claiming jobs";
    const LANE: Lane = Lane::Urgent;

    fn rows(&self) -> usize {
        self.claim.jobs.len()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let Claim { id, worker, class, jobs, hints: _ } = &self.claim;
        let ids = job_list(jobs);
        let statement = sql(include_str!("../queries/job_claim.sql"))
            .bind(ids.clone())
            .bind(worker.as_bytes().to_vec())
            .bind(id.as_bytes().to_vec())
            .bind(class.queue.to_string())
            .bind(i64::from(class.priority.code()))
            .bind(tx.now.micros())
            .bind(tx.steady.micros());
        let rows = tx.rows(statement).await?;
        let mut emissions = Vec::new();
        // All of them: the lease was live, and none was late.
        if rows.len() < jobs.len() {
            if !lease_is_live(tx, *worker).await? {
                return Ok(Err(Fenced));
            }
            emissions = expire_late(tx, &self.claim, ids).await?;
        }
        let found = readable_or_shelve(tx, &rows, claimed).await?;
        let mut found: HashMap<JobId, ClaimedJob> = found.into_iter().map(|job| (job.id, job)).collect();
        Ok(Ok(Claimed { jobs: jobs.iter().filter_map(|id| found.remove(id)).collect(), emissions }))
    }
}

pub(crate) async fn lease_is_live(tx: &mut Tx<'_>, worker: WorkerId) -> Result<bool, Fault> {
    let statement = sql(include_str!("../queries/worker_lease.sql")).bind(worker.as_bytes().to_vec()).bind(tx.steady.micros());
    Ok(tx.row(statement).await?.is_some())
}

/// Jobs whose start-before passed while they waited in the queue; returns their callbacks.
async fn expire_late(tx: &mut Tx<'_>, claim: &Claim, ids: String) -> Result<Vec<Emission>, Fault> {
    let statement = sql(include_str!("../queries/job_late_of_class.sql"))
        .bind(ids)
        .bind(claim.class.queue.to_string())
        .bind(i64::from(claim.class.priority.code()))
        .bind(tx.now.micros());
    let late: Vec<JobId> = job_ids(&tx.rows(statement).await?)?;
    let heads = Head::read_or_shelve(tx, &late).await?;
    let moves = heads.into_iter().map(|head| Move::new(head, Event::Expired)).collect::<Result<Vec<_>, _>>()?;
    Ok(apply(tx, &moves, &format!("worker:{}", claim.worker)).await?.emissions)
}

/// Finds what a claim took whose reply was lost. Through the writer, so that it comes after a claim that still waits there.
pub(crate) struct Adopt {
    pub(crate) worker: WorkerId,
    pub(crate) claim: ClaimId,
}

#[async_trait]
impl Write for Adopt {
    type Reply = Result<Vec<ClaimedJob>, Fenced>;
    const DOING: &'static str = "adopting a claim";
    const LANE: Lane = Lane::Urgent;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        if !lease_is_live(tx, self.worker).await? {
            return Ok(Err(Fenced));
        }
        let statement = sql(include_str!("../queries/job_adopt.sql"));
        let rows = tx.rows(statement.bind(self.worker.as_bytes().to_vec()).bind(self.claim.as_bytes().to_vec())).await?;
        Ok(Ok(readable_or_shelve(tx, &rows, claimed).await?))
    }
}
