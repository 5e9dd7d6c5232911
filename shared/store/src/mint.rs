//! Mints ids: version 7, in order within a process, from the store's clock.

use domain::{ClaimId, EmissionId, JobId, KeyId, OperationId, Timestamp, WorkerId};
use uuid::{ContextV7, Uuid};

/// A source of ids for one process.
pub struct Mint {
    context: std::sync::Mutex<ContextV7>,
}

impl Default for Mint {
    fn default() -> Self {
        Self { context: std::sync::Mutex::new(ContextV7::new()) }
    }
}

impl Mint {
    /// Ids of one call are in order with those of earlier calls, as long as the clock does not go back.
    pub fn uuid(&self, now: Timestamp) -> Uuid {
        let micros = u64::try_from(now.micros()).unwrap_or(0);
        let context = self.context.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let nanos = u32::try_from(micros % 1_000_000).unwrap_or(0) * 1_000;
        Uuid::new_v7(uuid::Timestamp::from_unix(&*context, micros / 1_000_000, nanos))
    }

    pub fn job(&self, now: Timestamp) -> JobId {
        JobId::from_uuid(self.uuid(now))
    }

    pub fn worker(&self, now: Timestamp) -> WorkerId {
        WorkerId::from_uuid(self.uuid(now))
    }

    pub fn claim(&self, now: Timestamp) -> ClaimId {
        ClaimId::from_uuid(self.uuid(now))
    }

    pub fn emission(&self, now: Timestamp) -> EmissionId {
        EmissionId::from_uuid(self.uuid(now))
    }

    pub fn key(&self, now: Timestamp) -> KeyId {
        KeyId::from_uuid(self.uuid(now))
    }

    pub fn operation(&self, now: Timestamp) -> OperationId {
        OperationId::from_uuid(self.uuid(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_are_in_order_and_carry_it() {
        let mint = Mint::default();
        let now: Timestamp = "2026-11-20T09:00:00.123Z".parse().expect("valid");
        let ids: Vec<JobId> = (0..2_000).map(|_| mint.job(now)).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
        let minted = ids[0].minted_at().expect("version 7");
        assert!(minted.since(now) < std::time::Duration::from_millis(1) && now.since(minted) < std::time::Duration::from_millis(1));
    }
}
