//! How many batches may be in memory at once? Their bytes are counted as they arrive, and a turn is taken only by a batch
//! that has arrived whole, so that slow callers hold up nobody.

use std::sync::Arc;
use std::time::Duration;

use domain::bounds::{BATCH_BYTES_MAX, BATCHES_BYTES_MAX, BATCHES_MAX};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

/// How long a batch waits for room or for its turn before it is told to come again.
const WAITS_MOST: Duration = Duration::from_secs(10);

/// The room that all batches share.
#[derive(Clone)]
pub struct BatchRoom {
    bytes: Arc<Semaphore>,
    /// Who holds this may grow to a full batch: were all stuck halfway, one of them still gets through, then the next.
    last: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// What one batch holds of the room; given back when it is dropped.
pub struct Place {
    room: BatchRoom,
    held: Option<OwnedSemaphorePermit>,
    whole: Option<OwnedSemaphorePermit>,
    turn: Option<OwnedSemaphorePermit>,
}

impl Default for BatchRoom {
    fn default() -> Self {
        Self::of(BATCHES_BYTES_MAX - BATCH_BYTES_MAX, BATCHES_MAX)
    }
}

impl BatchRoom {
    /// `bytes` are shared; on top of them is room for one full batch.
    fn of(bytes: usize, turns: usize) -> Self {
        Self { bytes: Arc::new(Semaphore::new(bytes)), last: Arc::new(Semaphore::new(1)), turns: Arc::new(Semaphore::new(turns)) }
    }

    pub fn place(&self) -> Place {
        Place { room: self.clone(), held: None, whole: None, turn: None }
    }
}

impl Place {
    /// Makes room for so many bytes more of a body.
    ///
    /// # Errors
    /// `busy` when none becomes free in time.
    pub async fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        if self.whole.is_some() {
            return Ok(());
        }
        let more = Arc::clone(&self.room.bytes).acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
        let last = Arc::clone(&self.room.last).acquire_owned();
        let granted = within(async {
            tokio::select! {
                biased;
                more = more => more.map(|more| (Some(more), None)),
                whole = last => whole.map(|whole| (None, Some(whole))),
            }
        });
        let (more, whole) = granted.await?;
        self.whole = whole;
        match (&mut self.held, more) {
            (Some(held), Some(more)) => held.merge(more),
            (held, Some(more)) => *held = Some(more),
            (_, None) => {}
        }
        Ok(())
    }

    /// Waits for this batch's turn to be judged and recorded.
    ///
    /// # Errors
    /// `busy` when it does not come in time.
    pub async fn take_turn(&mut self) -> Result<(), Problem> {
        self.turn = Some(within(Arc::clone(&self.room.turns).acquire_owned()).await?);
        Ok(())
    }
}

async fn within<T>(wait: impl Future<Output = Result<T, AcquireError>>) -> Result<T, Problem> {
    match tokio::time::timeout(WAITS_MOST, wait).await {
        Ok(Ok(granted)) => Ok(granted),
        Ok(Err(_)) | Err(_) => Err(Problem::busy()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_busy(answer: Result<(), Problem>) -> bool {
        answer.is_err_and(|problem| problem.code() == "busy")
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_are_bounded_and_one_batch_always_gets_through() {
        let room = BatchRoom::of(100, 1);
        let (mut first, mut second, mut third) = (room.place(), room.place(), room.place());
        first.grow(60).await.expect("room");
        second.grow(40).await.expect("room");
        first.grow(90).await.expect("the last one may go on");
        first.grow(90).await.expect("to its end");
        assert!(is_busy(second.grow(1).await), "the shared room is full, and the last place is taken");
        assert!(is_busy(third.grow(1).await));
        drop(first);
        second.grow(60).await.expect("room again");
        third.grow(100).await.expect("and the last place");
        drop((second, third));
        assert_eq!((room.bytes.available_permits(), room.last.available_permits()), (100, 1), "all is given back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_waited_for_with_a_bound() {
        let room = BatchRoom::of(100, 1);
        let (mut first, mut second) = (room.place(), room.place());
        first.take_turn().await.expect("a turn");
        assert!(is_busy(second.take_turn().await));
        let waiting = tokio::spawn(async move { second.take_turn().await });
        drop(first);
        waiting.await.expect("no panic").expect("its turn");
    }
}
