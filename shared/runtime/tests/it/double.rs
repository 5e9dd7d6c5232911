//! A store's work role without a store, for tests whose clock stands still: it waits for nothing but that clock, answers as it is
//! told, and writes down what it is asked.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use domain::{ClaimId, ClaimedJob, Class, EffectState, JobId, WorkerId};
use parking_lot::Mutex;
use store::{
    Claim, Claimed, EffectCall, EffectEnd, End, Renewal, Renewed, Settled, Settlement, StoreError, Until, Work, WorkError,
    WorkerRegistration,
};
use tokio::time::Instant;

/// How it answers.
#[derive(Default)]
pub struct Mood {
    /// How many renewals of the first worker it still answers; `None`: all.
    pub renewals_left: Option<usize>,
    pub renewal_takes: Duration,
    pub registration_takes: Duration,
    /// Registrations of other workers than the first are never answered.
    pub registers_nobody_else: bool,
    pub claim_takes: Duration,
    /// Claims happen, and nobody hears of it.
    pub loses_claims: bool,
    /// It has given the first worker up, and tells with the next claim.
    pub fences_claims: bool,
    /// The same, with the next renewal.
    pub fences_renewals: bool,
    /// Ends of effects come too late for it.
    pub fences_ends: bool,
    /// Settlements are never answered.
    pub hears_no_end: bool,
    /// It asks for a drain with every renewal.
    pub drains: bool,
    pub effect_takes: Duration,
    /// Whose effects it refuses.
    pub fenced: Option<JobId>,
    /// Whose end it refuses unless it is this bare.
    pub poison: Option<JobId>,
    /// Whose cancel it tells with every renewal.
    pub cancels: Vec<JobId>,
}

/// What it was asked, in order.
#[derive(Default)]
pub struct Asked {
    pub registered: Vec<(WorkerId, Instant)>,
    pub renewed: Vec<(Renewal, Instant)>,
    pub claimed: Vec<(Claim, Instant)>,
    pub settled: Vec<(WorkerId, Settlement)>,
    /// How many settlements each refused batch had.
    pub refused: Vec<usize>,
    pub effects: Vec<JobId>,
}

#[derive(Default)]
pub struct Double {
    pub mood: Mutex<Mood>,
    pub asked: Mutex<Asked>,
    /// Jobs to be claimed.
    pub queued: Mutex<HashMap<JobId, ClaimedJob>>,
    /// Claims that nobody heard of.
    pub lost: Mutex<HashMap<ClaimId, Vec<ClaimedJob>>>,
}

async fn pass(time: Duration) {
    if !time.is_zero() {
        testkit::hold(time, "the store takes that long").await;
    }
}

impl Double {
    /// The end of this job, once it was told.
    pub fn end_of(&self, job: JobId) -> Option<Settlement> {
        self.asked.lock().settled.iter().map(|(_, settlement)| settlement).find(|settlement| settlement.job == job).cloned()
    }

    fn take(&self, claim: &Claim) -> Vec<ClaimedJob> {
        let mut queued = self.queued.lock();
        claim.jobs.iter().filter_map(|id| Some(ClaimedJob { claim: claim.id, ..queued.remove(id)? })).collect()
    }

    fn refuses(&self, settlement: &Settlement) -> bool {
        let is_bare = matches!(&settlement.end, End::Dead { failure } if failure.code == "end_not_recordable");
        self.mood.lock().poison == Some(settlement.job) && !is_bare
    }

    fn is_first(&self, worker: WorkerId) -> bool {
        self.asked.lock().registered.first().is_some_and(|(first, _)| *first == worker)
    }

    /// Whether this renewal is answered at all.
    fn answers(&self, worker: WorkerId) -> bool {
        let is_first = self.is_first(worker);
        match &mut self.mood.lock().renewals_left {
            Some(0) if is_first => false,
            Some(left) if is_first => {
                *left -= 1;
                true
            }
            _ => true,
        }
    }
}

#[async_trait]
impl Work for Double {
    async fn register(&self, worker: &WorkerRegistration) -> Result<(), StoreError> {
        self.asked.lock().registered.push((worker.id, Instant::now()));
        if self.mood.lock().registers_nobody_else && !self.is_first(worker.id) {
            return std::future::pending().await;
        }
        let takes = self.mood.lock().registration_takes;
        pass(takes).await;
        Ok(())
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, WorkError> {
        self.asked.lock().renewed.push((renewal.clone(), Instant::now()));
        if self.mood.lock().fences_renewals && self.is_first(renewal.worker) {
            return Err(WorkError::Fenced);
        }
        if !self.answers(renewal.worker) {
            return std::future::pending().await;
        }
        let takes = self.mood.lock().renewal_takes;
        pass(takes).await;
        let cancels = self.mood.lock().cancels.iter().map(|job| (*job, 1)).collect();
        Ok(Renewed { cancels, drain: self.mood.lock().drains, ..Renewed::default() })
    }

    async fn retire(&self, _: WorkerId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, WorkError> {
        self.asked.lock().claimed.push((claim.clone(), Instant::now()));
        let takes = self.mood.lock().claim_takes;
        pass(takes).await;
        if self.mood.lock().fences_claims && self.is_first(claim.worker) {
            return Err(WorkError::Fenced);
        }
        let jobs = self.take(claim);
        if self.mood.lock().loses_claims {
            self.lost.lock().insert(claim.id, jobs);
            return std::future::pending().await;
        }
        Ok(Claimed { jobs, emissions: Vec::new() })
    }

    async fn adopt(&self, _: WorkerId, claim: ClaimId) -> Result<Vec<ClaimedJob>, WorkError> {
        Ok(self.lost.lock().remove(&claim).unwrap_or_default())
    }

    async fn settle(&self, worker: WorkerId, settlements: &[Settlement]) -> Result<Settled, StoreError> {
        if self.mood.lock().hears_no_end {
            return std::future::pending().await;
        }
        if settlements.iter().any(|settlement| self.refuses(settlement)) {
            self.asked.lock().refused.push(settlements.len());
            return Err(StoreError::Broken { doing: "a test", source: "told to refuse".into() });
        }
        self.asked.lock().settled.extend(settlements.iter().map(|settlement| (worker, settlement.clone())));
        Ok(Settled::default())
    }

    async fn park(&self, _: &Class, _: &[JobId], _: &Until) -> Result<usize, StoreError> {
        Ok(0)
    }

    async fn effect_begin(&self, call: &EffectCall) -> Result<EffectState, WorkError> {
        self.asked.lock().effects.push(call.job);
        let takes = self.mood.lock().effect_takes;
        pass(takes).await;
        let fenced = self.mood.lock().fenced;
        if fenced == Some(call.job) { Err(WorkError::Fenced) } else { Ok(EffectState::Intent) }
    }

    async fn effect_end(&self, _: &EffectCall, _: &EffectEnd) -> Result<(), WorkError> {
        if self.mood.lock().fences_ends { Err(WorkError::Fenced) } else { Ok(()) }
    }
}
