//! What is written when attempts end?

use std::collections::HashSet;

use async_trait::async_trait;
use domain::{Event, JobId, JobState, Run, Timestamp, WaitingFor, WorkerId};
use sqlx::Row as _;
use store::{End, Settled, Settlement, Until};
use uuid::Uuid;

use crate::fault::Fault;
use crate::head::Head;
use crate::lane::{Lane, Write};
use crate::moves::{Move, apply};
use crate::row::{Columns, clean, lines_to_json, to_json};
use crate::tx::{Sql, Tx, sql, sql_of};
use crate::{ends, rate};

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
    const LANE: Lane = Lane::Ends;

    fn rows(&self) -> usize {
        self.settlements.len()
    }

    fn bytes(&self) -> usize {
        self.settlements.iter().map(bytes_of).sum()
    }

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Settled, Fault> {
        let (successes, others): (Vec<&Settlement>, Vec<_>) =
            self.settlements.iter().partition(|settlement| matches!(settlement.end, End::Succeeded { .. }));
        let mut settled = Settled::default();
        let doubtful = self.succeed(tx, &successes, &mut settled).await?;
        let repeated = self.end_otherwise(tx, &others, &mut settled).await?;
        let open: Vec<&Settlement> = doubtful.into_iter().chain(repeated).collect();
        settled.lost = self.lost(tx, &open).await?;
        self.keep_logs(tx, &settled.lost).await?;
        Ok(settled)
    }
}

impl Settle {
    /// The happy path: one statement for all of them. Returns them when it did not find every one as expected.
    async fn succeed<'s>(
        &self,
        tx: &mut Tx<'_>,
        successes: &[&'s Settlement],
        settled: &mut Settled,
    ) -> Result<Vec<&'s Settlement>, Fault> {
        if successes.is_empty() {
            return Ok(Vec::new());
        }
        let mut count = 0;
        for group in one_of_each(successes) {
            let row = tx.row(succeeding(self.worker, &group, tx.now)?).await?.ok_or_else(|| Fault::rule("a settlement did not answer"))?;
            let (ended, unique, callbacks): (i64, Option<Vec<Uuid>>, Option<Vec<Uuid>>) =
                (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let jobs = |ids: Option<Vec<Uuid>>| ids.unwrap_or_default().into_iter().map(JobId::from_uuid).collect::<Vec<_>>();
            settled.emissions.extend(ends::ended(tx, &jobs(unique), &jobs(callbacks)).await?);
            count += usize::try_from(ended).unwrap_or(0);
        }
        Ok(if count == successes.len() { Vec::new() } else { successes.to_vec() })
    }

    /// Returns those that were not this worker's at this run, or not any more.
    async fn end_otherwise<'s>(
        &self,
        tx: &mut Tx<'_>,
        others: &[&'s Settlement],
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
                    moves.push(end(head, settlement)?);
                }
                found => {
                    heads.extend(found.map(|head| (head.id, head)));
                    open.push(settlement);
                }
            }
        }
        rate::count_ends(tx, *self.worker.as_uuid(), &moves).await?;
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
        // In the order of the ids as statements get them: a job that is named twice is asked for one by one.
        let mut ours = HashSet::new();
        for asked in one_of_each(open) {
            let statement = sql_of(include_str!("../queries/job_settled_before.sql"), asked.iter().map(|s| &s.job))
                .bind(asked.iter().map(|s| run_of(s.run)).collect::<Vec<_>>())
                .bind(asked.iter().map(|s| i16::from(target(&s.end).code())).collect::<Vec<_>>())
                .bind(asked.iter().map(|s| other_target(&s.end).map(|state| i16::from(state.code()))).collect::<Vec<_>>())
                .bind(*self.worker.as_uuid())
                .bind(self.actor());
            for row in tx.rows(statement).await? {
                let mut c = Columns::of(&row);
                ours.insert((c.job_id()?, c.number::<Run>()?));
            }
        }
        Ok(open.iter().map(|s| (s.job, s.run)).filter(|attempt| !ours.contains(attempt)).collect())
    }

    /// What the attempts wrote that were settled, now or before.
    async fn keep_logs(&self, tx: &mut Tx<'_>, lost: &[Attempt]) -> Result<(), Fault> {
        let wrote = |s: &&Settlement| (!s.logs.is_empty() || s.output.is_some()) && !lost.contains(&(s.job, s.run));
        let logs: Vec<&Settlement> = self.settlements.iter().filter(wrote).collect();
        if logs.is_empty() {
            return Ok(());
        }
        let lines = logs.iter().map(|s| lines_to_json(&s.logs)).collect::<Result<Vec<_>, _>>()?;
        let statement = sql(include_str!("../queries/job_log_insert.sql"))
            .bind(logs.iter().map(|s| *s.job.as_uuid()).collect::<Vec<_>>())
            .bind(logs.iter().map(|s| run_of(s.run)).collect::<Vec<_>>())
            .bind(lines)
            .bind(logs.iter().map(|s| s.output.as_deref().map(|text| clean(text).into_owned())).collect::<Vec<_>>());
        tx.execute(statement).await?;
        Ok(())
    }

    fn actor(&self) -> String {
        format!("worker:{}", self.worker)
    }
}

fn run_of(run: Run) -> i32 {
    i32::try_from(run).unwrap_or(i32::MAX)
}

/// Groups in each of which a job occurs once, sorted by it.
fn one_of_each<'s>(settlements: &[&'s Settlement]) -> Vec<Vec<&'s Settlement>> {
    let mut left: Vec<&Settlement> = settlements.to_vec();
    left.sort_by_key(|s| s.job);
    let mut groups = Vec::new();
    while !left.is_empty() {
        let mut group: Vec<&Settlement> = Vec::new();
        let mut again = Vec::new();
        for s in left {
            if group.last().is_some_and(|last| last.job == s.job) { again.push(s) } else { group.push(s) }
        }
        groups.push(group);
        left = again;
    }
    groups
}

fn succeeding(worker: WorkerId, sorted: &[&Settlement], now: Timestamp) -> Result<Sql, Fault> {
    let result = |s: &&Settlement| match &s.end {
        End::Succeeded { result } => result.as_deref().map(|text| clean(text).into_owned()),
        End::Retry { .. } | End::Deferred { .. } | End::Dead { .. } | End::Cancelled => None,
    };
    let progress = sorted.iter().map(|s| s.progress.as_ref().map(to_json).transpose()).collect::<Result<Vec<_>, _>>()?;
    Ok(sql_of(include_str!("../queries/job_succeed.sql"), sorted.iter().map(|s| &s.job))
        .bind(*worker.as_uuid())
        .bind(sorted.iter().map(|s| run_of(s.run)).collect::<Vec<_>>())
        .bind(some_or_none(sorted.iter().map(result).collect()))
        .bind(some_or_none(progress))
        .bind(now.micros())
        .bind(rate::bucket(now)))
}

/// Nothing at all is said by an empty array, in which every place is quick to find empty.
fn some_or_none(texts: Vec<Option<String>>) -> Vec<Option<String>> {
    if texts.iter().all(Option::is_none) { Vec::new() } else { texts }
}

/// The statement with nothing to settle, to have it planned.
pub(crate) fn nothing() -> Vec<Sql> {
    succeeding(WorkerId::from_bytes([0; 16]), &[], Timestamp::default()).into_iter().collect()
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
