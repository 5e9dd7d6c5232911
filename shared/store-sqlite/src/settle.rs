//! What is written when attempts end?

use std::collections::HashSet;
use std::sync::LazyLock;

use async_trait::async_trait;
use domain::{Event, JobId, JobState, Run, Timestamp, WaitingFor, WorkerId};
use store::{End, Settled, Settlement, Until};

use crate::emission::emissions;
use crate::ends;
use crate::fault::Fault;
use crate::head::Head;
use crate::lanes::Lane;
use crate::moves::{Move, apply};
use crate::rate::Rates;
use crate::row::{Columns, hex, lines_to_json, to_json};
use crate::rows::Rows;
use crate::tx::{Tx, sql};
use crate::write_queue::Write;

static LOG_REPLACE: LazyLock<Rows> = LazyLock::new(|| Rows::of(include_str!("../queries/job_log_replace.sql")));

/// Records the ends of attempts of one worker.
pub(crate) struct Settle {
    pub(crate) worker: WorkerId,
    pub(crate) settlements: Vec<Settlement>,
}

type Attempt = (JobId, Run);

#[async_trait]
impl Write for Settle {
    type Reply = Settled;
    const DOING: &'static str = "settling jobs";
    const LANE: Lane = Lane::Urgent;

    fn rows(&self) -> usize {
        self.settlements.len()
    }

    fn bytes(&self) -> usize {
        self.settlements.iter().map(bytes_of).sum()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Settled, Fault> {
        let (successes, others): (Vec<&Settlement>, Vec<_>) =
            self.settlements.iter().partition(|settlement| matches!(settlement.end, End::Succeeded { .. }));
        let mut done = HashSet::new();
        let mut settled = Settled::default();
        self.succeed(tx, &successes, &mut done, &mut settled).await?;
        let repeated = self.end_otherwise(tx, &others, &mut done, &mut settled).await?;
        let open: Vec<&Settlement> = successes.into_iter().filter(|s| !done.contains(&(s.job, s.run))).chain(repeated).collect();
        settled.lost = self.lost(tx, &open).await?;
        self.keep_logs(tx, done).await?;
        Ok(settled)
    }
}

impl Settle {
    /// The happy path: one statement for all of them.
    async fn succeed(
        &self,
        tx: &mut Tx<'_>,
        successes: &[&Settlement],
        done: &mut HashSet<Attempt>,
        settled: &mut Settled,
    ) -> Result<(), Fault> {
        if successes.is_empty() {
            return Ok(());
        }
        let mut ends = Vec::with_capacity(successes.len());
        for settlement in successes {
            let End::Succeeded { result } = &settlement.end else { continue };
            let progress = settlement.progress.as_ref().map(to_json).transpose()?;
            ends.push((hex(settlement.job.as_bytes()), settlement.run, result, progress));
        }
        let statement = sql(include_str!("../queries/job_succeed.sql"))
            .bind(to_json(&ends)?)
            .bind(self.worker.as_bytes().to_vec())
            .bind(tx.now.micros());
        let (mut unique, mut callbacks, mut rates) = (Vec::new(), Vec::new(), Rates::default());
        for row in tx.rows(statement).await? {
            let mut c = Columns::of(&row);
            let id = c.job_id()?;
            done.insert((id, c.number()?));
            unique.extend(c.flag()?.then_some(id));
            callbacks.extend(c.flag()?.then_some(id));
            rates.succeeded(&mut c)?;
        }
        rates.add(tx).await?;
        let queued = ends::ended(tx, &unique, &callbacks).await?;
        settled.emissions = emissions(&queued, &tx.context.mint, tx.now);
        Ok(())
    }

    /// Returns those that were not this worker's at this run, or not any more.
    async fn end_otherwise<'s>(
        &self,
        tx: &mut Tx<'_>,
        others: &[&'s Settlement],
        done: &mut HashSet<Attempt>,
        settled: &mut Settled,
    ) -> Result<Vec<&'s Settlement>, Fault> {
        let ids: Vec<JobId> = others.iter().map(|settlement| settlement.job).collect();
        let heads = Head::read_or_shelve(tx, &ids).await?;
        let mut heads: std::collections::HashMap<JobId, Head> = heads.into_iter().map(|head| (head.id, head)).collect();
        let (mut moves, mut open) = (Vec::new(), Vec::new());
        for settlement in others.iter().copied() {
            let ours = |head: &Head| head.state == JobState::Running && head.worker == Some(self.worker) && head.run == settlement.run;
            // Taken out, so that a second end of the same attempt in one call finds it settled.
            match heads.remove(&settlement.job) {
                Some(head) if ours(&head) => {
                    done.insert((head.id, head.run));
                    moves.push(end(head, settlement)?);
                }
                found => {
                    heads.extend(found.map(|head| (head.id, head)));
                    open.push(settlement);
                }
            }
        }
        let applied = apply(tx, &moves, &self.actor()).await?;
        settled.emissions.extend(applied.emissions);
        settled.next_timer = applied.next_timer;
        Ok(open)
    }

    /// Those of `open` that this worker did not end itself at that run, in the same way.
    async fn lost(&self, tx: &mut Tx<'_>, open: &[&Settlement]) -> Result<Vec<Attempt>, Fault> {
        if open.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<_> =
            open.iter().map(|s| (hex(s.job.as_bytes()), s.run, target(&s.end).code(), other_target(&s.end).map(JobState::code))).collect();
        let statement = sql(include_str!("../queries/job_settled_before.sql"))
            .bind(to_json(&asked)?)
            .bind(self.worker.as_bytes().to_vec())
            .bind(self.actor());
        let mut ours = HashSet::new();
        for row in tx.rows(statement).await? {
            let mut c = Columns::of(&row);
            ours.insert((c.job_id()?, c.number::<Run>()?));
        }
        Ok(open.iter().map(|s| (s.job, s.run)).filter(|attempt| !ours.contains(attempt)).collect())
    }

    /// What the attempts wrote that were settled now, each once: a repeated settlement wrote its own before.
    async fn keep_logs(&self, tx: &mut Tx<'_>, mut settled: HashSet<Attempt>) -> Result<(), Fault> {
        let mut logs = Vec::new();
        for s in &self.settlements {
            if settled.remove(&(s.job, s.run)) && (!s.logs.is_empty() || s.output.is_some()) {
                logs.push((s, lines_to_json(&s.logs)?));
            }
        }
        LOG_REPLACE
            .execute(tx, &logs, |statement, (s, lines)| {
                statement.bind(s.job.as_bytes().to_vec()).bind(i64::from(s.run)).bind(lines.clone()).bind(s.output.clone())
            })
            .await?;
        Ok(())
    }

    fn actor(&self) -> String {
        format!("worker:{}", self.worker)
    }
}

/// About what a settlement writes.
fn bytes_of(settlement: &Settlement) -> usize {
    let result = match &settlement.end {
        End::Succeeded { result } => result.as_ref().map_or(0, |text| text.len()),
        End::Retry { .. } | End::Deferred { .. } | End::Dead { .. } | End::Cancelled => 0,
    };
    let logs: usize = settlement.logs.iter().map(|line| line.message.len()).sum();
    result + logs + settlement.output.as_ref().map_or(0, String::len)
}

/// Where an end leads when no cancel was asked for.
fn target(end: &End) -> JobState {
    match end {
        End::Succeeded { .. } => JobState::Succeeded,
        End::Retry { .. } | End::Deferred { .. } => JobState::Waiting,
        End::Dead { .. } => JobState::Dead,
        End::Cancelled => JobState::Cancelled,
    }
}

/// Where it leads instead when it came too often.
fn other_target(end: &End) -> Option<JobState> {
    matches!(end, End::Deferred { .. }).then_some(JobState::Dead)
}

fn end(head: Head, settlement: &Settlement) -> Result<Move, Fault> {
    let failure = match &settlement.end {
        End::Retry { failure, .. } | End::Dead { failure } => Some(failure.clone()),
        End::Deferred { failure, .. } => failure.clone(),
        End::Succeeded { .. } | End::Cancelled => None,
    };
    let cancelled = head.cancel_requested;
    let made = match &settlement.end {
        // Cancel wins over every end but success.
        _ if cancelled => Move::new(head, Event::CancelHonoured)?,
        End::Succeeded { .. } => return Err(Fault::rule("a success is settled elsewhere")),
        End::Retry { at, .. } => Move::new(head, Event::FailedForNow)?.waits(retry_at(*at)),
        // Its kind met no handler here.
        End::Deferred { until: until @ Until::Freed { reason: WaitingFor::NoWorker, .. }, .. } => {
            Move::put_off(head, until.clone())?.unseen()
        }
        End::Deferred { until, .. } => Move::put_off(head, until.clone())?,
        End::Dead { .. } => Move::new(head, Event::FailedForGood)?,
        End::Cancelled => Move::new(head, Event::CancelHonoured)?,
    };
    Ok(made.failed(failure).came_so_far(settlement.progress.clone()))
}

pub(crate) fn retry_at(at: Timestamp) -> Until {
    Until::Time { at, reason: WaitingFor::Retry }
}
