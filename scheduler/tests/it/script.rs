//! What a test has planned for a store, call by call, and what was called when.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::{Emission, Timestamp};
use parking_lot::Mutex;
use store::{Step, StoreError};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::running::LONG;

/// What one call does.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Succeeds, having touched this many jobs.
    Does(usize),
    /// Succeeds, having found this many that need nothing any more.
    Settles(usize),
    /// Promotes these, and knows of a next timer.
    Promotes(Vec<Emission>, Option<Timestamp>),
    /// Does this step of an operation.
    Steps(Box<Step>),
    Fails,
    /// Hangs for so long, then fails.
    FailsAfter(Duration),
    /// Fails as something does that will never work.
    Breaks,
    Hangs,
    Panics,
    /// Takes so long, then does what is planned after it.
    TakesLong(Duration),
    /// Hangs until this is cancelled, then does nothing.
    HangsUntil(CancellationToken),
}

/// Without a plan, every call succeeds and does nothing.
pub struct Script {
    started: Instant,
    plans: Mutex<HashMap<&'static str, VecDeque<Plan>>>,
    calls: Mutex<Vec<(&'static str, usize, Duration)>>,
    called: Notify,
    /// No call succeeds.
    away: AtomicBool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            plans: Mutex::default(),
            calls: Mutex::default(),
            called: Notify::new(),
            away: AtomicBool::new(false),
        }
    }
}

impl Script {
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

    pub async fn call(&self, method: &'static str, limit: usize) -> Result<Plan, StoreError> {
        self.calls.lock().push((method, limit, self.started.elapsed()));
        self.called.notify_waiters();
        let gone = || StoreError::Unavailable { doing: method, source: "the disk is gone".into() };
        if self.away.load(Ordering::SeqCst) {
            return Err(gone());
        }
        let plan = if limit == 0 { None } else { self.plans.lock().get_mut(method).and_then(VecDeque::pop_front) };
        match self.after_a_while(method, plan).await.unwrap_or(Plan::Does(0)) {
            Plan::TakesLong(_) => panic!("one while is enough"),
            Plan::Fails => Err(gone()),
            Plan::FailsAfter(long) => {
                testkit::hold(long, "the store takes that long").await;
                Err(gone())
            }
            Plan::Breaks => Err(StoreError::Broken { doing: method, source: "a rule is broken".into() }),
            Plan::Hangs => std::future::pending().await,
            Plan::Panics => panic!("told to panic"),
            Plan::HangsUntil(done) => {
                done.cancelled().await;
                Ok(Plan::Does(0))
            }
            plan @ (Plan::Does(_) | Plan::Settles(_) | Plan::Promotes(..) | Plan::Steps(_)) => Ok(plan),
        }
    }

    async fn after_a_while(&self, method: &'static str, plan: Option<Plan>) -> Option<Plan> {
        let Some(Plan::TakesLong(long)) = plan else { return plan };
        testkit::hold(long, "the store takes that long").await;
        self.plans.lock().get_mut(method).and_then(VecDeque::pop_front)
    }

    pub async fn count(&self, method: &'static str, limit: usize) -> Result<usize, StoreError> {
        match self.call(method, limit).await? {
            Plan::Does(count) => Ok(count),
            other => panic!("{method} cannot do {other:?}"),
        }
    }
}
