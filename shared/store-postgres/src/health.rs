//! What keeps the store from working that a read does not show: no space for writes, no partitions for what comes.

use std::sync::atomic::{AtomicBool, Ordering};

use domain::bounds::PARTITIONS_AHEAD_MIN;
use store::StoreError;

use crate::fault::Fault;

#[derive(Default)]
pub(crate) struct Health {
    short_of_space: AtomicBool,
    told_of_partitions: AtomicBool,
}

impl Health {
    /// A transaction ended, with this fault if any.
    pub(crate) fn note(&self, fault: Option<&Fault>) {
        match fault {
            None => self.short_of_space.store(false, Ordering::Release),
            Some(fault) if fault.is_for_want_of_space() => self.short_of_space.store(true, Ordering::Release),
            Some(_) => {}
        }
    }

    /// Fails when the last write found no space.
    pub(crate) fn check_space(&self, doing: &'static str) -> Result<(), StoreError> {
        if self.short_of_space.load(Ordering::Acquire) {
            return Err(StoreError::Full { doing, source: "the last write found no space".into() });
        }
        Ok(())
    }

    /// Fails when the present partition is the last one: soon no job could be recorded. Says once in the log when few are left.
    pub(crate) fn check_partitions(&self, ahead: u32, doing: &'static str) -> Result<(), StoreError> {
        let few = ahead < PARTITIONS_AHEAD_MIN;
        if !self.told_of_partitions.swap(few, Ordering::AcqRel) && few {
            tracing::warn!(count = ahead, "few partitions of the job table are left ahead: is no scheduler running?");
        }
        if ahead == 0 {
            let source = "no partition of the job table exists ahead of time; start a scheduler, or run `flotilla migrate`";
            return Err(StoreError::Unavailable { doing, source: source.into() });
        }
        Ok(())
    }
}
