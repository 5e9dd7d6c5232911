//! How does a worker announce itself, stay alive, and leave?

use std::sync::LazyLock;

use async_trait::async_trait;
use domain::bounds::LEASE_FOR;
use domain::{Emission, Event, JobId, QueueName, Run, WaitingFor, WorkerId};
use store::{Renewal, Renewed, Until, WorkerRegistration};

use crate::claim::Fenced;
use crate::fault::Fault;
use crate::head::Head;
use crate::lanes::Lane;
use crate::moves::{Move, apply};
use crate::row::{Columns, hex, id_list, millis, to_json, worker_state};
use crate::rows::Rows;
use crate::tx::{Tx, sql};
use crate::write_queue::Write;

static KIND_REPLACE: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/kind_replace.sql")));
static WORKER_KIND_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/worker_kind_insert.sql")));
static QUEUE_INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/queue_insert.sql")));

/// Records a worker with a fresh lease, and its kinds.
pub(crate) struct Register {
    pub(crate) worker: WorkerRegistration,
}

#[async_trait]
impl Write for Register {
    type Reply = ();
    const DOING: &'static str = "registering a worker";
    const LANE: Lane = Lane::Urgent;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let worker = &self.worker;
        let id = worker.id.as_bytes().to_vec();
        let statement = sql(include_str!("../queries/worker_register.sql"))
            .bind(id.clone())
            .bind(worker.name.clone())
            .bind(worker.host.clone())
            .bind(i64::from(worker.pid))
            .bind(i64::from(worker.slots))
            .bind(worker.version.clone())
            .bind(tx.context.session)
            .bind((tx.steady + LEASE_FOR).micros())
            .bind(tx.now.micros());
        tx.execute(statement).await?;
        let mut kinds = Vec::with_capacity(worker.kinds.len());
        for kind in &worker.kinds {
            kinds.push((kind, to_json(&kind.retry)?, to_json(&kind.effects)?));
        }
        KIND_REPLACE
            .execute(tx, &kinds, |statement, (kind, retry, effects)| {
                statement
                    .bind(kind.name.to_string())
                    .bind(kind.queue.to_string())
                    .bind(kind.schema.clone())
                    .bind(i64::from(kind.max_attempts))
                    .bind(millis(kind.timeout))
                    .bind(retry.clone())
                    .bind(effects.clone())
            })
            .await?;
        WORKER_KIND_INSERT.execute(tx, &kinds, |statement, (kind, ..)| statement.bind(id.clone()).bind(kind.name.to_string())).await?;
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

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        insert_queues(tx, &self.queues).await
    }
}

pub(crate) async fn insert_queues(tx: &mut Tx<'_>, queues: &[QueueName]) -> Result<(), Fault> {
    QUEUE_INSERT.execute(tx, queues, |statement, queue| statement.bind(queue.to_string())).await?;
    Ok(())
}

/// Extends a lease, and compares what the worker holds with what the store thinks that it runs.
pub(crate) struct Renew {
    pub(crate) renewal: Renewal,
}

#[async_trait]
impl Write for Renew {
    type Reply = Result<Renewed, Fenced>;
    const DOING: &'static str = "renewing a lease";
    const LANE: Lane = Lane::Urgent;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let worker = self.renewal.worker.as_bytes().to_vec();
        let statement = sql(include_str!("../queries/worker_renew.sql")).bind(worker.clone()).bind((tx.steady + LEASE_FOR).micros());
        let Some(row) = tx.row(statement).await? else { return Ok(Err(Fenced)) };
        let drain = Columns::of(&row).flag()?;
        self.record_progress(tx).await?;
        let held = id_list(self.renewal.held.iter().map(domain::ClaimId::as_bytes));
        // A look from the future is one from before the host's clock was set back: what started since may seem older than
        // it. Nobody is a stranger then; the next renewal tells.
        let looked_at = Some(self.renewal.as_of).filter(|at| *at <= tx.now).unwrap_or_default();
        let notable = sql(include_str!("../queries/job_of_worker_notable.sql"));
        let rows = tx.rows(notable.bind(worker).bind(held).bind(looked_at.micros())).await?;
        let (mut cancels, mut strangers): (Vec<(JobId, Run)>, Vec<JobId>) = (Vec::new(), Vec::new());
        for row in &rows {
            let mut c = Columns::of(row);
            let (id, run, is_stranger) = (c.job_id()?, c.number()?, c.flag()?);
            if is_stranger { strangers.push(id) } else { cancels.push((id, run)) }
        }
        let emissions = hand_back(tx, &strangers).await?;
        Ok(Ok(Renewed { cancels, handed_back: strangers.len(), emissions, drain, paces: Vec::new() }))
    }
}

impl Renew {
    async fn record_progress(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        if self.renewal.progress.is_empty() {
            return Ok(());
        }
        let mut progress = Vec::with_capacity(self.renewal.progress.len());
        for (job, run, so_far) in &self.renewal.progress {
            progress.push((hex(job.as_bytes()), run, to_json(so_far)?));
        }
        let statement = sql(include_str!("../queries/job_progress.sql"));
        tx.execute(statement.bind(to_json(&progress)?).bind(self.renewal.worker.as_bytes().to_vec())).await?;
        Ok(())
    }
}

/// Jobs of claims that their worker does not know: it never started them. The timeline must not show the worker as the one
/// who ended the run, or a late settlement would pass for a repeated one.
async fn hand_back(tx: &mut Tx<'_>, strangers: &[JobId]) -> Result<Vec<Emission>, Fault> {
    let now = tx.now;
    let mut moves = Vec::with_capacity(strangers.len());
    for head in Head::read_or_shelve(tx, strangers).await? {
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

    async fn run(&self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        let statement = sql(include_str!("../queries/worker_retire.sql"))
            .bind(self.worker.as_bytes().to_vec())
            .bind(worker_state::RETIRED)
            .bind(tx.steady.micros());
        tx.execute(statement).await?;
        Ok(())
    }
}
