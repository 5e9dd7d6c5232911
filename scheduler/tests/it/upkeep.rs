//! A store that does what a test planned, call by call, and remembers when it was asked for what.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::{Emission, EmissionId, Timestamp};
use parking_lot::Mutex;
use store::{ClassNeed, Emitted, Promoted, Released, Rescued, Retained, Retention, StoreError, Upkeep};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::running::LONG;

/// What one call does.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Succeeds, having touched this many jobs.
    Does(usize),
    /// Promotes these, and knows of a next timer.
    Promotes(Vec<Emission>, Option<Timestamp>),
    Fails,
    Hangs,
    Panics,
    /// Hangs until this is cancelled, then does nothing.
    HangsUntil(CancellationToken),
}

/// Without a plan, every call succeeds and does nothing.
pub struct PlannedUpkeep {
    started: Instant,
    plans: Mutex<HashMap<&'static str, VecDeque<Plan>>>,
    calls: Mutex<Vec<(&'static str, usize, Duration)>>,
    called: Notify,
    /// No call succeeds.
    away: AtomicBool,
    /// What is queued, for `emissions_due`.
    pub queued: Mutex<Vec<Emission>>,
}

impl PlannedUpkeep {
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
            plans: Mutex::default(),
            calls: Mutex::default(),
            called: Notify::new(),
            away: AtomicBool::new(false),
            queued: Mutex::default(),
        }
    }

    pub fn plan(&self, method: &'static str, plans: impl IntoIterator<Item = Plan>) {
        self.plans.lock().entry(method).or_default().extend(plans);
    }

    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// When the method was called, counted from the start; calls that may touch nothing are mere looks and left out.
    pub fn times(&self, method: &str) -> Vec<Duration> {
        self.calls.lock().iter().filter(|(of, limit, _)| *of == method && *limit > 0).map(|(.., at)| *at).collect()
    }

    /// How often the method was called with whatever limit.
    pub fn asked(&self, method: &str) -> usize {
        self.calls.lock().iter().filter(|(of, ..)| *of == method).count()
    }

    /// Waits for the `n`th call of the method, from 1 on, and says when it came.
    pub async fn nth(&self, method: &str, n: usize) -> Duration {
        testkit::within(&format!("call {n} of {method}"), LONG, async {
            loop {
                let called = self.called.notified();
                if let Some(at) = self.times(method).get(n - 1) {
                    return *at;
                }
                called.await;
            }
        })
        .await
    }

    async fn call(&self, method: &'static str, limit: usize) -> Result<Plan, StoreError> {
        self.calls.lock().push((method, limit, self.started.elapsed()));
        self.called.notify_waiters();
        let gone = || StoreError::Unavailable { doing: method, source: "the disk is gone".into() };
        if self.away.load(Ordering::SeqCst) {
            return Err(gone());
        }
        let plan = if limit == 0 { None } else { self.plans.lock().get_mut(method).and_then(VecDeque::pop_front) };
        match plan.unwrap_or(Plan::Does(0)) {
            Plan::Fails => Err(gone()),
            Plan::Hangs => std::future::pending().await,
            Plan::Panics => panic!("told to panic"),
            Plan::HangsUntil(done) => {
                done.cancelled().await;
                Ok(Plan::Does(0))
            }
            plan @ (Plan::Does(_) | Plan::Promotes(..)) => Ok(plan),
        }
    }

    async fn count(&self, method: &'static str, limit: usize) -> Result<usize, StoreError> {
        match self.call(method, limit).await? {
            Plan::Does(count) => Ok(count),
            other => panic!("{method} cannot do {other:?}"),
        }
    }
}

#[async_trait]
impl Upkeep for PlannedUpkeep {
    async fn promote(&self, limit: usize) -> Result<Promoted, StoreError> {
        Ok(match self.call("promote", limit).await? {
            Plan::Promotes(emissions, next_timer) => {
                let promoted = emissions.iter().map(|emission| emission.jobs.len()).sum();
                Promoted { promoted, emissions, next_timer, ..Promoted::default() }
            }
            Plan::Does(promoted) => Promoted { promoted, ..Promoted::default() },
            other => panic!("promote cannot do {other:?}"),
        })
    }

    async fn release(&self, limit: usize) -> Result<Released, StoreError> {
        Ok(Released { released: self.count("release", limit).await?, emissions: Vec::new() })
    }

    async fn rescue(&self, limit: usize) -> Result<Rescued, StoreError> {
        Ok(Rescued { retried: self.count("rescue", limit).await?, ..Rescued::default() })
    }

    async fn bury_predecessors(&self) -> Result<usize, StoreError> {
        panic!("whoever opens the store buries, never a duty");
    }

    async fn emissions_due(&self, needs: &[ClassNeed], limit: usize) -> Result<Emitted, StoreError> {
        self.count("emissions_due", limit).await?;
        let queued = self.queued.lock();
        let due = queued.iter().filter(|emission| needs.iter().any(|need| need.class == emission.class));
        Ok(Emitted { emissions: due.cloned().collect() })
    }

    async fn emissions_sent(&self, ids: &[EmissionId]) -> Result<(), StoreError> {
        self.count("emissions_sent", ids.len()).await.map(drop)
    }

    async fn retain(&self, _kept: &Retention, limit: usize) -> Result<Retained, StoreError> {
        Ok(Retained { jobs: self.count("retain", limit).await?, ..Retained::default() })
    }
}
