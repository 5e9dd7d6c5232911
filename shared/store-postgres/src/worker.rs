//! How does a worker announce itself, stay alive, and leave?

use std::time::Duration;

use async_trait::async_trait;
use domain::bounds::LEASE_FOR;
use domain::{ClaimId, Emission, Event, JobId, JobState, QueueName, Run, Timestamp, WaitingFor, WorkerId};
use store::{Renewal, Renewed, Until, WorkerRegistration};
use uuid::Uuid;

use crate::claim::Fenced;
use crate::fault::Fault;
use crate::head::Head;
use crate::lane::{Lane, Write};
use crate::moves::{Move, apply};
use crate::row::{Columns, hex, job_ids, millis, to_json, worker_state};
use crate::tx::{Tx, sql, sql_of};
use crate::unless_locked::unless_locked;

/// How far two processes' estimates of the database's time may be apart.
const LOOK_AHEAD: Duration = Duration::from_secs(1);

/// Records a worker with a fresh lease, and its kinds.
pub(crate) struct Register {
    pub(crate) worker: WorkerRegistration,
}

#[async_trait]
impl Write for Register {
    type Reply = ();
    const DOING: &'static str = "registering a worker";
    const LANE: Lane = Lane::Leases;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let worker = &self.worker;
        let statement = sql(include_str!("../queries/worker_register.sql"))
            .bind(*worker.id.as_uuid())
            .bind(worker.name.clone())
            .bind(worker.host.clone())
            .bind(i64::from(worker.pid))
            .bind(i64::from(worker.slots))
            .bind(worker.version.clone())
            .bind(length_of_lease())
            .bind(tx.shift());
        tx.execute(statement).await?;
        let mut kinds = Vec::with_capacity(worker.kinds.len());
        for kind in &worker.kinds {
            let (retry, effects) = (to_json(&kind.retry)?, to_json(&kind.effects)?);
            kinds.push((&kind.name, &kind.queue, &kind.schema, kind.max_attempts, millis(kind.timeout), retry, effects));
        }
        tx.execute(sql(include_str!("../queries/kind_replace.sql")).bind(to_json(&kinds)?)).await?;
        let names: Vec<String> = worker.kinds.iter().map(|kind| kind.name.to_string()).collect();
        tx.execute(sql(include_str!("../queries/worker_kind_insert.sql")).bind(*worker.id.as_uuid()).bind(names)).await?;
        let queues: Vec<QueueName> = worker.kinds.iter().map(|kind| kind.queue.clone()).collect();
        insert_queues(tx, &queues).await
    }
}

/// Makes sure that queues exist.
pub(crate) struct DeclareQueues {
    pub(crate) queues: Vec<QueueName>,
}

#[async_trait]
impl Write for DeclareQueues {
    type Reply = ();
    const DOING: &'static str = "declaring queues";
    const LANE: Lane = Lane::Acts;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        insert_queues(tx, &self.queues).await
    }
}

pub(crate) async fn insert_queues(tx: &mut Tx<'_>, queues: &[QueueName]) -> Result<(), Fault> {
    let names: Vec<String> = queues.iter().map(ToString::to_string).collect();
    tx.execute(sql(include_str!("../queries/queue_insert.sql")).bind(names)).await?;
    Ok(())
}

fn length_of_lease() -> i64 {
    i64::try_from(LEASE_FOR.as_micros()).unwrap_or(i64::MAX)
}

/// Extends a lease, and compares what the worker holds with what the store thinks that it runs. The lease needs nothing of the jobs: who
/// keeps those locked must not end it.
pub(crate) struct Renew {
    pub(crate) renewal: Renewal,
}

#[async_trait]
impl Write for Renew {
    type Reply = Result<Renewed, Fenced>;
    const DOING: &'static str = "renewing a lease";
    const LANE: Lane = Lane::Leases;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let worker = *self.renewal.worker.as_uuid();
        let statement = sql(include_str!("../queries/worker_renew.sql")).bind(worker).bind(length_of_lease()).bind(tx.shift());
        let Some(row) = tx.row(statement).await? else { return Ok(Err(Fenced)) };
        let drain = Columns::of(&row).flag()?;
        self.record_marks(tx).await?;
        tx.execute(sql(include_str!("../queries/claim_forget_ended.sql")).bind(worker).bind(uuids(&self.renewal.ended))).await?;
        let (cancels, strangers) = self.news(tx).await?;
        // What is beneath touches jobs. Where they are locked, the next renewal does it.
        let cancels = if cancels { unless_locked(tx, async |tx| self.cancels(tx).await).await?.unwrap_or_default() } else { Vec::new() };
        let (mut handed_back, mut emissions) = (0, Vec::new());
        if (strangers || !self.renewal.progress.is_empty())
            && let Some(compared) = unless_locked(tx, async |tx| self.compare(tx).await).await?
        {
            (handed_back, emissions) = compared;
        }
        Ok(Ok(Renewed { cancels, handed_back, emissions, drain, paces: Vec::new() }))
    }
}

impl Renew {
    /// A look from the future is one from before the clock was corrected: nobody is a stranger then; the next renewal tells.
    fn looked_at(&self, tx: &Tx<'_>) -> i64 {
        Some(self.renewal.as_of).filter(|at| *at <= tx.now + LOOK_AHEAD).unwrap_or_default().micros()
    }

    /// Whether there are cancels, and whether there are claims that it did not name.
    async fn news(&self, tx: &mut Tx<'_>) -> Result<(bool, bool), Fault> {
        let (worker, held, looked_at) = (*self.renewal.worker.as_uuid(), uuids(&self.renewal.held), self.looked_at(tx));
        let news = tx.row(sql(include_str!("../queries/worker_news.sql")).bind(worker).bind(held).bind(looked_at)).await?;
        let flags = |row| {
            let mut c = Columns::of(row);
            Ok((c.flag()?, c.flag()?))
        };
        news.as_ref().map_or(Ok((false, false)), flags)
    }

    /// Records progress, and hands back what the worker does not know.
    async fn compare(&self, tx: &mut Tx<'_>) -> Result<(usize, Vec<Emission>), Fault> {
        let (worker, held, looked_at) = (*self.renewal.worker.as_uuid(), uuids(&self.renewal.held), self.looked_at(tx));
        self.record_progress(tx).await?;
        let unnamed = sql(include_str!("../queries/claim_strangers.sql")).bind(worker).bind(held.clone()).bind(looked_at);
        let strangers = job_ids(&tx.rows(unnamed).await?)?;
        let emissions = hand_back(tx, self.renewal.worker, &strangers).await?;
        tx.execute(sql(include_str!("../queries/claim_forget.sql")).bind(worker).bind(held).bind(looked_at)).await?;
        Ok((strangers.len(), emissions))
    }

    async fn record_progress(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        if self.renewal.progress.is_empty() {
            return Ok(());
        }
        let mut progress = Vec::with_capacity(self.renewal.progress.len());
        for (job, run, so_far) in &self.renewal.progress {
            progress.push((hex(job.as_bytes()), run, to_json(so_far)?));
        }
        let statement = sql_of(include_str!("../queries/job_progress.sql"), self.renewal.progress.iter().map(|(job, ..)| job));
        tx.execute(statement.bind(to_json(&progress)?).bind(*self.renewal.worker.as_uuid())).await?;
        Ok(())
    }

    /// What it does not name, it does not hold any more.
    async fn record_marks(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let marks = &self.renewal.marks;
        let statement = sql(include_str!("../queries/worker_mark_replace.sql"))
            .bind(*self.renewal.worker.as_uuid())
            .bind(marks.iter().map(|mark| mark.class.queue.to_string()).collect::<Vec<_>>())
            .bind(marks.iter().map(|mark| i16::from(mark.class.priority.code())).collect::<Vec<_>>())
            .bind(marks.iter().map(|mark| mark.claimed_until.map(Timestamp::micros)).collect::<Vec<_>>())
            .bind(marks.iter().map(|mark| mark.held_since.map(Timestamp::micros)).collect::<Vec<_>>());
        tx.execute(statement).await?;
        Ok(())
    }

    /// Which of its running jobs somebody asked to cancel.
    async fn cancels(&self, tx: &mut Tx<'_>) -> Result<Vec<(JobId, Run)>, Fault> {
        let worker = *self.renewal.worker.as_uuid();
        let rows = tx.rows(sql(include_str!("../queries/cancel_asked_list.sql")).bind(worker)).await?;
        tx.execute(sql(include_str!("../queries/cancel_asked_forget.sql")).bind(worker)).await?;
        let cancel = |row| {
            let mut c = Columns::of(row);
            Ok((c.job_id()?, c.number()?))
        };
        rows.iter().map(cancel).collect()
    }
}

fn uuids(claims: &[ClaimId]) -> Vec<Uuid> {
    claims.iter().map(|claim| *claim.as_uuid()).collect()
}

/// Jobs of claims that their worker does not know: it never started them. The timeline must not show the worker as the one
/// who ended the run, or a late settlement would pass for a repeated one.
async fn hand_back(tx: &mut Tx<'_>, worker: WorkerId, strangers: &[JobId]) -> Result<Vec<Emission>, Fault> {
    let now = tx.now;
    let mut moves = Vec::with_capacity(strangers.len());
    for head in Head::read_free_or_shelve(tx, strangers).await?.0 {
        if head.state != JobState::Running || head.worker != Some(worker) {
            continue;
        }
        moves.push(if head.cancel_requested {
            Move::new(head, Event::CancelHonoured)?
        } else {
            Move::put_off(head, Until::Time { at: now, reason: WaitingFor::Time })?.unseen()
        });
    }
    Ok(apply(tx, &moves, "duty:hand_back").await?.emissions)
}

/// Ends a worker that has drained.
pub(crate) struct Retire {
    pub(crate) worker: WorkerId,
}

#[async_trait]
impl Write for Retire {
    type Reply = ();
    const DOING: &'static str = "retiring a worker";
    const LANE: Lane = Lane::Leases;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let statement =
            sql(include_str!("../queries/worker_retire.sql")).bind(*self.worker.as_uuid()).bind(worker_state::RETIRED).bind(tx.shift());
        tx.execute(statement).await?;
        Ok(())
    }
}
