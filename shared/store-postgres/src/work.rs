//! How does the port's work reach the lanes?

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::{ClaimId, ClaimedJob, Class, EffectState, JobId, WorkerId};
use store::{
    Claim, Claimed, EffectCall, EffectEnd, Renewal, Renewed, Settled, Settlement, StoreError, Until, Work, WorkError, WorkerRegistration,
};

use crate::PostgresStore;
use crate::claim::{Adopt, Fenced, claim_jobs};
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
impl Work for PostgresStore {
    async fn register(&self, worker: &WorkerRegistration) -> Result<(), StoreError> {
        self.lanes.write(Register { worker: worker.clone() }).await
    }

    async fn renew(&self, renewal: &Renewal) -> Result<Renewed, WorkError> {
        let mut renewed = self.lanes.write(Renew { renewal: renewal.clone() }).await??;
        let queues: Vec<_> = renewal.marks.iter().map(|mark| mark.class.queue.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        renewed.paces = self.context.paces.of(&queues);
        Ok(renewed)
    }

    async fn retire(&self, worker: WorkerId) -> Result<(), StoreError> {
        self.lanes.write(Retire { worker }).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, WorkError> {
        Ok(claim_jobs(&self.lanes, claim).await??)
    }

    async fn adopt(&self, worker: WorkerId, claim: ClaimId) -> Result<Vec<ClaimedJob>, WorkError> {
        Ok(self.lanes.write(Adopt { worker, claim }).await??)
    }

    async fn settle(&self, worker: WorkerId, settlements: &[Settlement]) -> Result<Settled, StoreError> {
        if settlements.is_empty() {
            return Ok(Settled::default());
        }
        self.lanes.write(Settle { worker, settlements: settlements.to_vec() }).await
    }

    async fn park(&self, class: &Class, jobs: &[JobId], until: &Until) -> Result<usize, StoreError> {
        self.lanes.write(Park { class: class.clone(), jobs: jobs.to_vec(), until: until.clone() }).await
    }

    async fn effect_begin(&self, call: &EffectCall) -> Result<EffectState, WorkError> {
        Ok(self.lanes.write(BeginEffect { call: call.clone() }).await??)
    }

    async fn effect_end(&self, call: &EffectCall, end: &EffectEnd) -> Result<(), WorkError> {
        Ok(self.lanes.write(EndEffect { call: call.clone(), end: end.clone() }).await??)
    }
}
