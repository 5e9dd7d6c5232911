//! A store whose upkeep does what a test planned, call by call.

use std::ops::Deref;

use async_trait::async_trait;
use domain::Emission;
use parking_lot::Mutex;
use store::{ClassNeed, Emitted, Prepared, Promoted, Released, Rescued, Retained, Retention, StoreError, Upkeep};

use crate::script::{Plan, Script};

/// Without a plan, every call succeeds and does nothing.
#[derive(Default)]
pub struct PlannedUpkeep {
    script: Script,
    /// What is queued, for `emissions_due`.
    pub queued: Mutex<Vec<Emission>>,
}

impl Deref for PlannedUpkeep {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.script
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

    async fn prepare(&self) -> Result<Prepared, StoreError> {
        let ahead = self.count("prepare", 1).await?;
        Ok(Prepared { made: 2, ahead: u32::try_from(ahead).expect("a few") })
    }

    async fn retain(&self, _kept: &Retention, limit: usize) -> Result<Retained, StoreError> {
        Ok(Retained { jobs: self.count("retain", limit).await?, ..Retained::default() })
    }
}
