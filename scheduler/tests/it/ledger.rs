//! A ledger in memory that also does what a test planned, call by call.

use std::ops::Deref;

use async_trait::async_trait;
use domain::{DeadNotice, Emission, EmissionId, PoisonMessage, Timestamp, Unsent};
use parking_lot::Mutex;
use store::{Ledger, Outstanding, PoisonRow, Reconciled, StoreError};

use crate::script::{Plan, Script};

#[derive(Default)]
pub struct PlannedLedger {
    script: Script,
    /// Due to be sent again. Whatever is asked for is put off: here, for good.
    pub due: Mutex<Vec<Emission>>,
    /// Emissions that the broker may not hold, as the ledger was told.
    pub doubted: Mutex<Vec<EmissionId>>,
    pub unannounced: Mutex<Vec<DeadNotice>>,
    pub poison: Mutex<Vec<PoisonMessage>>,
    pub outstanding: Mutex<Outstanding>,
}

impl Deref for PlannedLedger {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.script
    }
}

#[async_trait]
impl Ledger for PlannedLedger {
    async fn unconfirmed(&self, limit: usize) -> Result<Vec<Emission>, StoreError> {
        self.count("unconfirmed", limit).await?;
        let mut due = self.due.lock();
        let taken = due.len().min(limit);
        Ok(due.drain(..taken).collect())
    }

    async fn sent(&self, _confirmed: &[(EmissionId, Timestamp)]) -> Result<(), StoreError> {
        panic!("the broker's adapter tells of confirmations, never a duty");
    }

    async fn unsent(&self, what: &Unsent, limit: usize) -> Result<usize, StoreError> {
        self.count("unsent", limit).await?;
        let Unsent::Emissions(ids) = what else { panic!("no duty doubts a class: {what:?}") };
        assert!(ids.len() <= limit, "{} ids in a call for {limit}", ids.len());
        self.doubted.lock().extend_from_slice(ids);
        Ok(ids.len())
    }

    async fn reconcile(&self, limit: usize) -> Result<Reconciled, StoreError> {
        Ok(match self.call("reconcile", limit).await? {
            Plan::Does(unsent) => Reconciled { unsent, settled: 0 },
            Plan::Settles(settled) => Reconciled { unsent: 0, settled },
            other => panic!("reconcile cannot do {other:?}"),
        })
    }

    async fn unannounced(&self, limit: usize) -> Result<Vec<DeadNotice>, StoreError> {
        self.count("unannounced", limit).await?;
        Ok(self.unannounced.lock().iter().take(limit).cloned().collect())
    }

    async fn announced(&self, notices: &[DeadNotice]) -> Result<(), StoreError> {
        self.count("announced", notices.len()).await?;
        self.unannounced.lock().retain(|waiting| !notices.contains(waiting));
        Ok(())
    }

    async fn record_poison(&self, messages: &[PoisonMessage]) -> Result<(), StoreError> {
        self.count("record_poison", messages.len()).await?;
        self.poison.lock().extend_from_slice(messages);
        Ok(())
    }

    async fn poison(&self, _limit: usize) -> Result<Vec<PoisonRow>, StoreError> {
        panic!("people look at poison, never a duty");
    }

    async fn outstanding(&self) -> Result<Outstanding, StoreError> {
        self.count("outstanding", 1).await?;
        Ok(*self.outstanding.lock())
    }
}
