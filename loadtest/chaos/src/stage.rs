//! A small fleet and a judge, for tests that break one thing: a producer and a scheduler run, workers come as the test wants them.

use std::collections::BTreeSet;
use std::time::Duration;

use flotilla_client::Client;
use testkit::servers::Database;
use testkit::{eventually, within};

use crate::fleet::{Fleet, SOON, Urls, batch, default_secret, ids};
use crate::judge::Judge;
use crate::process::Process;

pub struct Stage {
    pub fleet: Fleet,
    pub producer: Process,
    pub scheduler: Process,
    pub client: Client,
    pub judge: Judge,
    submitted: usize,
}

impl Stage {
    pub async fn on(urls: &Urls) -> Self {
        let fleet = Fleet::found(urls);
        let (producer, scheduler) = (fleet.producer().await, fleet.scheduler().await);
        let client = fleet.client(&producer);
        let judge = Judge::start(fleet.path(), &default_secret(&client).await);
        Self { fleet, producer, scheduler, client, judge, submitted: 0 }
    }

    /// Submits deliveries that are accepted at once and answered `ms` later.
    pub async fn submit(&mut self, jobs: usize, ms: u32) -> BTreeSet<String> {
        self.submitted += 1;
        let body = batch(&self.judge.late(ms), self.submitted, jobs);
        let answer = within("an answer", SOON, self.client.post_text("/v1/jobs/batch", body, None)).await.expect("accepted");
        assert_eq!(answer.status, 202);
        ids(&answer.body).into_iter().collect()
    }

    /// The same while something is broken: until it is taken, `by` then.
    pub async fn resubmit(&mut self, jobs: usize, ms: u32, by: Duration) -> BTreeSet<String> {
        self.submitted += 1;
        let (body, key) = (batch(&self.judge.late(ms), self.submitted, jobs), format!("stage-{}", self.submitted));
        let sent = async || self.client.post_text("/v1/jobs/batch", body.clone(), Some(&key)).await;
        let answer = eventually("a batch is taken", by, sent).await;
        ids(&answer.body).into_iter().collect()
    }

    /// Waits until all of these were accepted by the judge.
    pub async fn accepted(&mut self, jobs: &BTreeSet<String>, by: Duration) {
        eventually("the judge has accepted them", by, async || {
            let accepted = self.judge.accepted();
            let missing = jobs.iter().filter(|id| !accepted.contains_key(*id)).count();
            if missing == 0 { Ok(()) } else { Err(format!("{missing} of {} are not\n{}", jobs.len(), self.scheduler.said())) }
        })
        .await;
    }

    /// Waits until every job there is has succeeded, `jobs` in number, each in one run and with one delivery.
    pub async fn done_once(&mut self, database: &Database, jobs: usize, by: Duration) {
        done(database, jobs, by).await;
        let figures = database.ask("select count(*), sum(run), sum(attempt), sum(crashes) from job").await;
        let count = jobs.to_string();
        assert_eq!(figures, [[count.as_str(), &count, &count, "0"]], "jobs, runs, attempts, crashes");
        assert_eq!(self.judge.count(), jobs);
        assert!(self.judge.accepted().values().all(|accepted| accepted.times == 1), "something was delivered twice");
    }

    pub async fn stop(self, workers: impl IntoIterator<Item = Process>) {
        for process in [self.producer, self.scheduler].into_iter().chain(workers) {
            process.stop().await;
        }
    }
}

/// Waits until every job there is has succeeded, `jobs` in number; each success was recorded once.
pub async fn done(database: &Database, jobs: usize, by: Duration) {
    eventually("every job has succeeded", by, async || {
        let states = database.ask("select state, count(*) from job group by state").await;
        if states == [["3", &jobs.to_string()]] { Ok(()) } else { Err(format!("state, count: {states:?}")) }
    })
    .await;
    let recorded = database.count("select sum(succeeded) from job_rate").await;
    assert_eq!(recorded, u64::try_from(jobs).expect("it fits"), "successes are recorded once");
}
