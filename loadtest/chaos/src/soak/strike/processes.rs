//! A process is killed, stopped, or asked to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;

use super::{Proof, SEEN_WITHIN, WORTH_IT_WITHIN, at_once, held, misplaced};
use crate::process::Process;
use crate::soak::crew::Post;
use crate::soak::fault::{Fault, Role};
use crate::soak::schedule::Planned;
use crate::soak::site::{Looks, Site};

/// A rescue waits for the lease, and for two more when the database was away; faults of the database put it off again and again.
const RESCUED_WITHIN: Duration = Duration::from_secs(900);
/// A drain takes 25 s at most, and then everything is closed.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);
/// What a worker says when it has learned that it lost its lease.
const FENCED: [&str; 2] = ["fenced: the store gave this worker up", "the lease ended because no renewal got through"];

/// The process that is hit, seized until it works again.
pub struct Victim<'a> {
    site: &'a Arc<Site>,
    post: &'a Post,
    process: MutexGuard<'a, Option<Process>>,
}

/// What a worker was about when it was hit.
struct Holding {
    worker: String,
    jobs: u64,
}

impl<'a> Victim<'a> {
    pub async fn at(site: &'a Arc<Site>, role: Role, copy: usize) -> Self {
        let post = site.post(role, copy);
        Self { site, post, process: post.seize().await }
    }

    pub async fn strike(mut self, planned: Planned) -> Proof {
        match planned.fault {
            Fault::WorkerKilled => self.worker_killed(planned).await,
            Fault::WorkerStopped => self.worker_stopped(planned).await,
            Fault::WorkerDrained => self.worker_drained(planned).await,
            Fault::ProducerKilled => self.producer_gone(planned, true).await,
            Fault::ProducerDrained => self.producer_gone(planned, false).await,
            Fault::SchedulerKilled | Fault::SchedulerStopped | Fault::SchedulerDrained => self.scheduler_gone(planned).await,
            other => misplaced(other),
        }
    }

    fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("whoever breaks it leaves it working")
    }

    /// Waits until it runs jobs; if it does not, it is hit all the same.
    async fn holding(&mut self) -> Option<Holding> {
        let (site, pid) = (Arc::clone(self.site), self.process().pid());
        let question = format!(
            "select w.id, count(*) from worker w join job j on j.worker_id = w.id where w.pid = {pid} and w.state = 0 and j.state = 2 group by w.id"
        );
        let mut looks = Looks::within(WORTH_IT_WITHIN);
        while looks.again().await {
            let rows = site.database.try_ask(&question).await.unwrap_or_default();
            if let [row, ..] = rows.as_slice()
                && let [worker, jobs, ..] = row.as_slice()
            {
                return Some(Holding { worker: worker.clone(), jobs: jobs.parse().unwrap_or(0) });
            }
        }
        None
    }

    async fn start_again(&mut self) {
        self.post.start(&self.site.fleet, &mut self.process).await;
    }

    async fn worker_killed(&mut self, planned: Planned) -> Proof {
        let holding = self.holding().await;
        self.process().guard.kill();
        held(planned).await;
        self.start_again().await;
        rescued(self.site, holding)
    }

    async fn worker_stopped(&mut self, planned: Planned) -> Proof {
        let holding = self.holding().await;
        let fenced = |post: &Post| FENCED.iter().map(|words| post.said(words)).sum::<usize>();
        let before = fenced(self.post);
        self.process().guard.signal("STOP");
        held(planned).await;
        self.process().guard.signal("CONT");
        let (site, role, copy) = (Arc::clone(self.site), self.post.role, self.post.copy);
        let jobs = holding.map_or(0, |holding| holding.jobs);
        Box::pin(async move {
            let mut looks = Looks::within(SEEN_WITHIN);
            while looks.again().await {
                if fenced(site.post(role, copy)) > before {
                    return Some(format!("fenced, with {jobs} jobs"));
                }
            }
            None
        })
    }

    /// Bites when it had jobs; that it ends cleanly is seen as well.
    async fn worker_drained(&mut self, planned: Planned) -> Proof {
        let holding = self.holding().await;
        self.process().guard.terminate();
        let status = self.process().guard.end(DRAINED_WITHIN).await;
        held(planned).await;
        self.start_again().await;
        at_once(holding.map(|holding| format!("{} jobs ran on it; {status}", holding.jobs)))
    }

    async fn producer_gone(&mut self, planned: Planned, killed: bool) -> Proof {
        let (load, copy) = (Arc::clone(&self.site.load), self.post.copy);
        let before = load.failed(copy);
        if killed {
            self.process().guard.kill();
        } else {
            self.process().guard.terminate();
            self.process().guard.end(DRAINED_WITHIN).await;
        }
        held(planned).await;
        self.start_again().await;
        let successor = crate::client::client(&self.process().url(), self.site.fleet.key());
        load.replace(copy, successor);
        let failed = load.failed(copy) - before;
        at_once((failed > 0).then(|| format!("{failed} tries of clients failed there")))
    }

    /// Bites when another one does housekeeping meanwhile that this one had done before.
    async fn scheduler_gone(&mut self, planned: Planned) -> Proof {
        const DONE: &str = "flotilla_duty_items_total";
        let other = self.site.post(Role::Scheduler, 1 - self.post.copy);
        let done_here = self.process().metric(DONE).await;
        let before = self.site.metric(other, DONE).await.unwrap_or(0.0);
        if planned.fault == Fault::SchedulerDrained {
            self.process().guard.terminate();
            self.process().guard.end(DRAINED_WITHIN).await;
        } else {
            self.process().guard.signal(if planned.fault == Fault::SchedulerStopped { "STOP" } else { "KILL" });
        }
        held(planned).await;
        if planned.fault == Fault::SchedulerStopped {
            self.process().guard.signal("CONT");
        } else {
            self.process().guard.kill();
            self.start_again().await;
        }
        let meanwhile = self.site.metric(other, DONE).await.unwrap_or(0.0) - before;
        at_once(
            (done_here > 0.0 && meanwhile > 0.0).then(|| format!("it had done {done_here} things, the other did {meanwhile} meanwhile")),
        )
    }
}

/// Waits until the jobs of a dead worker were given back.
fn rescued(site: &Arc<Site>, holding: Option<Holding>) -> Proof {
    let Some(Holding { worker, jobs }) = holding else { return at_once(None) };
    let site = Arc::clone(site);
    let question = format!("select count(*) from job_event where actor = 'duty:rescue' and run_by = '{worker}'");
    Box::pin(async move {
        let rescued = site.more_than(0, &question, RESCUED_WITHIN).await?;
        Some(format!("{jobs} jobs ran on it, {rescued} were rescued"))
    })
}
