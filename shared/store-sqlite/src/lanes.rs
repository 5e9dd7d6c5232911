//! In which order do writes reach the writer, and how many share a transaction?
//!
//! Two lanes, each first come, first served. What keeps workers alive and empties the store is urgent: renewals,
//! registrations, claims, settlements, effects. What fills the store, and the duties, are normal: when it gets crowded
//! the crowd must stand at the door, not between a healthy worker and its lease. A claim and its adoption share a lane,
//! because adopting relies on coming after the claim. The urgent lane cannot starve the other: what goes through it is
//! bounded by the workers' slots, and every group keeps places for the normal lane.

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::Instant;

use crate::writer::Waiting;

/// Operations in one transaction.
const GROUP_OPERATIONS_MAX: usize = 64;
/// Of those, urgent ones.
const GROUP_URGENT_MAX: usize = 48;
/// Rows and bytes of one transaction, unless a single operation has more: an urgent operation waits that long.
const GROUP_ROWS_MAX: usize = 8_192;
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Operations that may wait in one lane; callers beyond that wait for a place, within their deadline.
const WAITING_MAX: usize = 512;

/// Which way an operation goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    Urgent,
    Normal,
}

/// An operation in a lane, and since when.
pub(crate) struct Waiter {
    pub(crate) operation: Box<dyn Waiting>,
    pub(crate) since: Instant,
}

pub(crate) enum Command {
    Write(Waiter),
    Close,
}

/// The callers' ends.
pub(crate) struct Entrances {
    urgent: Sender<Waiter>,
    normal: Sender<Command>,
}

/// Everybody who could wait for it is gone.
pub(crate) struct Closed;

impl Entrances {
    pub(crate) async fn enter(&self, lane: Lane, operation: Box<dyn Waiting>) -> Result<(), Closed> {
        let waiter = Waiter { operation, since: Instant::now() };
        match lane {
            Lane::Urgent => self.urgent.send(waiter).await.map_err(|_| Closed),
            Lane::Normal => self.normal.send(Command::Write(waiter)).await.map_err(|_| Closed),
        }
    }

    /// Closes both lanes once the writer gets there.
    pub(crate) async fn close(&self) {
        // A closed lane means that somebody else closed it.
        let _ = self.normal.send(Command::Close).await;
    }

    pub(crate) fn waiting(&self) -> usize {
        let of = |max: usize, free: usize| max - free;
        of(self.urgent.max_capacity(), self.urgent.capacity()) + of(self.normal.max_capacity(), self.normal.capacity())
    }
}

/// The writer's ends.
pub(crate) struct Lanes {
    urgent: Receiver<Waiter>,
    normal: Receiver<Command>,
    /// The next of the normal lane, which did not fit into the last group.
    kept: Option<Waiter>,
}

pub(crate) fn lanes() -> (Entrances, Lanes) {
    let (urgent, urgent_out) = mpsc::channel(WAITING_MAX);
    let (normal, normal_out) = mpsc::channel(WAITING_MAX);
    (Entrances { urgent, normal }, Lanes { urgent: urgent_out, normal: normal_out, kept: None })
}

impl Lanes {
    /// The first of the next group. `None`: both lanes are closed and empty.
    pub(crate) async fn first(&mut self) -> Option<Waiter> {
        // It was passed over once; urgent ones that came meanwhile may join it.
        if let Some(kept) = self.kept.take() {
            return Some(kept);
        }
        loop {
            tokio::select! {
                biased;
                Some(waiter) = self.urgent.recv() => return Some(waiter),
                command = self.normal.recv() => match command {
                    Some(Command::Write(waiter)) => return Some(waiter),
                    Some(Command::Close) => self.close(),
                    None => return self.urgent.recv().await,
                },
            }
        }
    }

    /// Who goes with the first: urgent ones, then others as far as they fit. Those nobody waits for any more are dropped.
    pub(crate) fn gather(&mut self, first: Waiter) -> Group {
        let mut group = Group::default();
        group.take(first);
        while group.operations.len() < GROUP_URGENT_MAX
            && group.rows < GROUP_ROWS_MAX
            && group.bytes < GROUP_BYTES_MAX
            && let Ok(waiter) = self.urgent.try_recv()
        {
            group.take(waiter);
        }
        while group.operations.len() < GROUP_OPERATIONS_MAX
            && let Some(waiter) = self.next_normal()
        {
            if !group.fits(&waiter) {
                self.kept = Some(waiter);
                break;
            }
            group.take(waiter);
        }
        group
    }

    fn next_normal(&mut self) -> Option<Waiter> {
        match self.normal.try_recv() {
            Ok(Command::Write(waiter)) => Some(waiter),
            Ok(Command::Close) => {
                self.close();
                self.next_normal()
            }
            Err(_) => None,
        }
    }

    fn close(&mut self) {
        self.urgent.close();
        self.normal.close();
    }
}

/// Operations of one transaction.
#[derive(Default)]
pub(crate) struct Group {
    pub(crate) operations: Vec<Box<dyn Waiting>>,
    rows: usize,
    bytes: usize,
    oldest: Option<Instant>,
}

impl Group {
    fn fits(&self, waiter: &Waiter) -> bool {
        let (rows, bytes) = (self.rows + waiter.operation.rows(), self.bytes + waiter.operation.bytes());
        self.operations.is_empty() || (rows <= GROUP_ROWS_MAX && bytes <= GROUP_BYTES_MAX)
    }

    fn take(&mut self, waiter: Waiter) {
        if waiter.operation.abandoned() {
            return;
        }
        self.rows += waiter.operation.rows();
        self.bytes += waiter.operation.bytes();
        self.oldest = self.oldest.into_iter().chain([waiter.since]).min();
        self.operations.push(waiter.operation);
    }

    /// Since when the longest waiting of them has waited.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.oldest
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::fault::Fault;
    use crate::tx::Tx;

    /// Its number, which is also how many rows it touches, and how many bytes it would write.
    struct Fake(usize, usize);

    #[async_trait]
    impl Waiting for Fake {
        fn rows(&self) -> usize {
            self.0
        }

        fn bytes(&self) -> usize {
            self.1
        }

        fn abandoned(&self) -> bool {
            false
        }

        async fn run(&mut self, _tx: &mut Tx<'_>) -> Result<(), Fault> {
            Ok(())
        }

        fn answer(self: Box<Self>, _outcome: Result<(), Fault>) {}
    }

    async fn enter(entrances: &Entrances, lane: Lane, numbers: std::ops::Range<usize>, bytes: usize) {
        for number in numbers {
            assert!(entrances.enter(lane, Box::new(Fake(number, bytes))).await.is_ok());
        }
    }

    /// The numbers of each group, until nothing waits.
    async fn groups(entrances: Entrances, mut lanes: Lanes) -> Vec<Vec<usize>> {
        drop(entrances);
        let mut groups = Vec::new();
        while let Some(first) = lanes.first().await {
            groups.push(lanes.gather(first).operations.iter().map(|operation| operation.rows()).collect());
        }
        groups
    }

    #[tokio::test]
    async fn urgent_ones_go_first_and_leave_places_for_the_others() {
        let (entrances, lanes) = lanes();
        enter(&entrances, Lane::Normal, 0..40, 0).await;
        enter(&entrances, Lane::Urgent, 40..140, 0).await;
        let groups = groups(entrances, lanes).await;
        let expected = [(40..88).chain(0..16), (88..136).chain(16..32), (136..140).chain(32..40)];
        assert_eq!(groups, expected.map(Vec::from_iter));
    }

    #[tokio::test]
    async fn a_group_is_bounded_by_bytes_or_is_one_operation() {
        const MIB: usize = 1024 * 1024;
        let (entrances, lanes) = lanes();
        enter(&entrances, Lane::Normal, 0..3, 4 * MIB).await;
        enter(&entrances, Lane::Normal, 3..4, 30 * MIB).await;
        enter(&entrances, Lane::Normal, 4..6, MIB).await;
        assert_eq!(groups(entrances, lanes).await, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
    }

    #[tokio::test]
    async fn what_was_passed_over_is_next() {
        const MIB: usize = 1024 * 1024;
        let (entrances, mut lanes) = lanes();
        enter(&entrances, Lane::Urgent, 1..2, 0).await;
        enter(&entrances, Lane::Normal, 3..4, 30 * MIB).await;
        let first = lanes.first().await.expect("one waits");
        assert_eq!(lanes.gather(first).operations.len(), 1, "the long one would hold up the urgent one");
        enter(&entrances, Lane::Urgent, 2..3, 0).await;
        assert_eq!(groups(entrances, lanes).await, [vec![3], vec![2]]);
    }

    #[tokio::test]
    async fn closing_lets_both_lanes_run_dry() {
        let (entrances, lanes) = lanes();
        enter(&entrances, Lane::Normal, 0..1, 0).await;
        entrances.close().await;
        enter(&entrances, Lane::Urgent, 9..10, 0).await;
        assert_eq!(groups(entrances, lanes).await.concat(), [9, 0]);
    }
}
