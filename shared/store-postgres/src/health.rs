//! What keeps the store from working that a read does not show: lanes that cannot write, no partitions for what comes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use domain::bounds::PARTITIONS_AHEAD_MIN;
use parking_lot::Mutex;
use store::StoreError;
use tokio::time::Instant;

use crate::fault::Fault;
use crate::lane::Lane;

/// A lane that has failed and was not used since may be well again: who is not ready gets no work, and would never find out.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct Health {
    lanes: Mutex<[Option<Trouble>; Lane::ALL.len()]>,
    told_of_partitions: AtomicBool,
}

/// Why the last write of a lane failed, if that was not for what it wrote, and when.
#[derive(Clone, Copy)]
struct Trouble {
    lack: Lack,
    since: Instant,
}

/// What a lane lacked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lack {
    Connection,
    Space,
    /// A primary: it has reached a standby, or a server that was made read-only.
    Primary,
}

impl Lack {
    fn of(fault: &Fault) -> Option<Self> {
        if fault.is_for_want_of_space() {
            Some(Self::Space)
        } else if fault.is_for_want_of_a_primary() {
            Some(Self::Primary)
        } else {
            fault.is_for_want_of_a_connection().then_some(Self::Connection)
        }
    }
}

impl Health {
    /// A transaction of a lane ended, with this fault if any.
    pub(crate) fn note(&self, lane: Lane, fault: Option<&Fault>) {
        let trouble = fault.map(|fault| Lack::of(fault).map(|lack| Trouble { lack, since: Instant::now() }));
        match trouble {
            None => self.lanes.lock()[lane as usize] = None,
            Some(Some(trouble)) => self.lanes.lock()[lane as usize] = Some(trouble),
            // It failed for what it wrote, or for what others do: nothing is known about the lane.
            Some(None) => {}
        }
    }

    /// Fails when the last write of a lane failed just now for want of something that the next one needs, too.
    pub(crate) fn check_lanes(&self, doing: &'static str) -> Result<(), StoreError> {
        let lacks =
            |lack| self.lanes.lock().iter().flatten().any(|trouble| trouble.lack == lack && trouble.since.elapsed() < REMEMBERED_FOR);
        if lacks(Lack::Space) {
            return Err(StoreError::Full { doing, source: "the last write found no space".into() });
        }
        if lacks(Lack::Primary) {
            return Err(takes_no_writes());
        }
        if lacks(Lack::Connection) {
            return Err(StoreError::Unavailable { doing: "writing", source: "the last write found no connection that answers".into() });
        }
        Ok(())
    }

    /// The last write of a lane found no space, a moment ago.
    pub(crate) fn is_short_of_space(&self) -> bool {
        matches!(self.check_lanes("looking for space"), Err(StoreError::Full { .. }))
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

/// Reads work there, so nobody else would notice.
pub(crate) fn takes_no_writes() -> StoreError {
    let doing = "writing to a server that takes no writes";
    StoreError::Unavailable { doing, source: "the server is a standby, or read-only; the address must lead to the primary".into() }
}

/// Ids and leases do not suffer from it; what this host signs, logs and believes of certificates does.
pub(crate) fn clocks_apart() -> StoreError {
    let doing = "this host's clock is more than 30 s from the database's";
    StoreError::Unavailable { doing, source: "synchronise the clocks of both hosts (NTP)".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away() -> Fault {
        Fault::Away("silent")
    }

    /// A success of another lane says nothing, and neither does a failure that is somebody's own.
    #[tokio::test(start_paused = true)]
    async fn a_lane_in_trouble_shows_until_it_writes_again_or_was_left_alone() {
        let health = Health::default();
        health.check_lanes("testing").expect("nothing is known");
        health.note(Lane::Intake, Some(&away()));
        health.note(Lane::Leases, None);
        health.note(Lane::Intake, Some(&Fault::rule("no")));
        assert!(matches!(health.check_lanes("testing"), Err(StoreError::Unavailable { .. })));
        health.note(Lane::Intake, None);
        health.check_lanes("testing").expect("it writes again");
        health.note(Lane::Intake, Some(&away()));
        tokio::time::advance(REMEMBERED_FOR).await;
        health.check_lanes("testing").expect("nobody has tried since");
    }
}
