//! A store's work role that remembers how effects ended.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{ClaimId, ClaimedJob, Class, EffectState, JobId, WorkerId};
use parking_lot::Mutex;
use store::{
    Claim, Claimed, EffectCall, EffectEnd, Renewal, Renewed, Settled, Settlement, StoreError, Until, Work, WorkError, WorkerRegistration,
};
use store_sqlite::SqliteStore;

pub struct Recorder {
    store: Arc<SqliteStore>,
    ends: Mutex<Vec<EffectEnd>>,
}

impl Recorder {
    pub fn of(store: Arc<SqliteStore>) -> Self {
        Self { store, ends: Mutex::default() }
    }

    pub fn ends(&self) -> Vec<EffectEnd> {
        self.ends.lock().clone()
    }
}

#[async_trait]
impl Work for Recorder {
    async fn register(&self, worker: &WorkerRegistration) -> Result<(), StoreError> {
        self.store.register(worker).await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, WorkError> {
        self.store.renew(renewal).await
    }

    async fn retire(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.store.retire(worker).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, WorkError> {
        self.store.claim(claim).await
    }

    async fn adopt(&self, worker: WorkerId, claim: ClaimId) -> Result<Vec<ClaimedJob>, WorkError> {
        self.store.adopt(worker, claim).await
    }

    async fn settle(&self, worker: WorkerId, settlements: &[Settlement]) -> Result<Settled, StoreError> {
        self.store.settle(worker, settlements).await
    }

    async fn park(&self, class: &Class, jobs: &[JobId], until: &Until) -> Result<usize, StoreError> {
        self.store.park(class, jobs, until).await
    }

    async fn effect_begin(&self, call: &EffectCall) -> Result<EffectState, WorkError> {
        self.store.effect_begin(call).await
    }

    async fn effect_end(&self, call: &EffectCall, end: &EffectEnd) -> Result<(), WorkError> {
        self.ends.lock().push(end.clone());
        self.store.effect_end(call, end).await
    }
}
