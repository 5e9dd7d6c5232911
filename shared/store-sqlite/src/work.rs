//! How does the port's work reach the writer?

use async_trait::async_trait;
use domain::{ClaimId, ClaimedJob, Class, EffectState, JobId, WorkerId};
use store::{
    Claim, Claimed, EffectCall, EffectEnd, Renewal, Renewed, Settled, Settlement, StoreError, Until, Work, WorkError, WorkerRegistration,
};

use crate::SqliteStore;
use crate::claim::{Adopt, ClaimJobs, Fenced};
use crate::effect::{BeginEffect, EndEffect};
use crate::promote::Park;
use crate::settle::Settle;
use crate::worker::{Register, Renew, Retire};

impl From<Fenced> for WorkError {
    fn from(Fenced: Fenced) -> Self {
        Self::Fenced
    }
}

#[async_trait]
impl Work for SqliteStore {
    async fn register(&self, worker: &WorkerRegistration) -> Result<(), StoreError> {
        self.queue.write(Register { worker: worker.clone() }).await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, WorkError> {
        Ok(self.queue.write(Renew { renewal: renewal.clone() }).await??)
    }

    async fn retire(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.queue.write(Retire { worker }).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, WorkError> {
        Ok(self.queue.write(ClaimJobs { claim: claim.clone() }).await??)
    }

    async fn adopt(&self, worker: WorkerId, claim: ClaimId) -> Result<Vec<ClaimedJob>, WorkError> {
        Ok(self.queue.write(Adopt { worker, claim }).await??)
    }

    async fn settle(&self, worker: WorkerId, settlements: &[Settlement]) -> Result<Settled, StoreError> {
        if settlements.is_empty() {
            return Ok(Settled::default());
        }
        self.queue.write(Settle { worker, settlements: settlements.to_vec() }).await
    }

    async fn park(&self, class: &Class, jobs: &[JobId], until: &Until) -> Result<usize, StoreError> {
        self.queue.write(Park { class: class.clone(), jobs: jobs.to_vec(), until: until.clone() }).await
    }

    async fn effect_begin(&self, call: &EffectCall) -> Result<EffectState, WorkError> {
        Ok(self.queue.write(BeginEffect { call: call.clone() }).await??)
    }

    async fn effect_end(&self, call: &EffectCall, end: &EffectEnd) -> Result<(), WorkError> {
        Ok(self.queue.write(EndEffect { call: call.clone(), end: end.clone() }).await??)
    }
}
