//! Is there room for one more request? If not, its caller hears so at once: waiting costs memory, and being told costs nothing.
//!
//! As many are let in as may wait for the store at most, so who is let in finds a place there too; and their bodies share a
//! bounded number of bytes. An admission is held until the work is done, also when the caller has gone meanwhile.

use std::any::Any;
use std::sync::Arc;

use domain::bounds::BODIES_BYTES_MAX;
use parking_lot::Mutex;
use telemetry::Metrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::problem::Problem;

tokio::task_local! {
    static ADMISSION: Arc<Admission>;
}

/// Where requests come in.
#[derive(Clone)]
pub struct Door {
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

/// What one request holds of the room; given back when it is dropped.
pub struct Admission {
    door: Door,
    bytes: Mutex<Option<OwnedSemaphorePermit>>,
    /// What else the request holds.
    kept: Mutex<Option<Box<dyn Any + Send>>>,
    place: Mutex<Option<Place>>,
}

/// A place among the requests in work, counted.
struct Place {
    _permit: OwnedSemaphorePermit,
    metrics: Arc<Metrics>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.metrics.http_in_work.dec();
    }
}

impl Door {
    pub fn new(requests_max: usize, metrics: Arc<Metrics>) -> Self {
        Self { places: Arc::new(Semaphore::new(requests_max)), bytes: Arc::new(Semaphore::new(BODIES_BYTES_MAX)), metrics }
    }

    /// # Errors
    /// `overloaded` when there is no place.
    pub fn enter(&self) -> Result<Arc<Admission>, Problem> {
        let place = Mutex::new(Some(self.place()?));
        Ok(Arc::new(Admission { door: self.clone(), bytes: Mutex::new(None), kept: Mutex::new(None), place }))
    }

    fn place(&self) -> Result<Place, Problem> {
        let permit = Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.refuse("requests"))?;
        self.metrics.http_in_work.inc();
        Ok(Place { _permit: permit, metrics: Arc::clone(&self.metrics) })
    }

    fn refuse(&self, why: &'static str) -> Problem {
        self.metrics.http_shed.with_label_values(&[why]).inc();
        Problem::overloaded()
    }
}

impl Admission {
    /// Runs what belongs to the request.
    pub async fn scope<T>(self: Arc<Self>, work: impl Future<Output = T>) -> T {
        ADMISSION.scope(self, work).await
    }

    /// Makes room for so many bytes more of the body.
    fn carry(&self, bytes: usize) -> Result<(), Problem> {
        let more = Arc::clone(&self.door.bytes).try_acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX));
        let more = more.map_err(|_| self.door.refuse("bodies"))?;
        let mut held = self.bytes.lock();
        match &mut *held {
            Some(held) => held.merge(more),
            None => *held = Some(more),
        }
        Ok(())
    }
}

/// That of the request in hand, for work that goes on without it. `None`: the route is open to everybody.
pub fn current() -> Option<Arc<Admission>> {
    ADMISSION.try_with(Arc::clone).ok()
}

/// Holds something until all work of the request in hand is done, also that which goes on without it.
pub fn keep(held: impl Any + Send) {
    // Without an admission there is nothing that goes on without its request.
    let _ = ADMISSION.try_with(|admission| admission.kept.lock().replace(Box::new(held)));
}

/// Waits for something of the caller's without taking up a place: slow callers must not shut out the others.
///
/// # Errors
/// What `work` says, or `overloaded` when there is no place any more.
pub async fn aside<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let admission = current();
    drop(admission.as_ref().and_then(|admission| admission.place.lock().take()));
    let done = work.await?;
    if let Some(admission) = admission {
        let place = admission.door.place()?;
        *admission.place.lock() = Some(place);
    }
    Ok(done)
}

/// Makes room for so many bytes of the body of the request in hand.
///
/// # Errors
/// `overloaded` when there is none.
pub fn carry(bytes: usize) -> Result<(), Problem> {
    ADMISSION.try_with(|admission| admission.carry(bytes)).unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T>(answer: Result<T, Problem>) -> bool {
        answer.is_err_and(|problem| problem.code() == "overloaded")
    }

    #[tokio::test]
    async fn places_and_bytes_are_bounded_and_given_back() {
        let metrics = Arc::new(Metrics::new().expect("metrics"));
        let door = Door::new(2, Arc::clone(&metrics));
        let (first, second) = (door.enter().expect("a place"), door.enter().expect("a place"));
        assert!(refused(door.enter()));
        assert_eq!(metrics.http_in_work.get(), 2);
        first.carry(BODIES_BYTES_MAX / 2).expect("room");
        first.carry(BODIES_BYTES_MAX / 2).expect("room");
        assert!(refused(second.carry(1)));
        drop(first);
        second.carry(BODIES_BYTES_MAX).expect("room again");
        drop(second);
        assert_eq!((door.places.available_permits(), door.bytes.available_permits(), metrics.http_in_work.get()), (2, BODIES_BYTES_MAX, 0));
        let shed = |why| metrics.http_shed.with_label_values(&[why]).get();
        assert_eq!((shed("requests"), shed("bodies")), (1, 1));
    }

    #[tokio::test]
    async fn who_waits_for_a_caller_takes_up_no_place() {
        let door = Door::new(1, Arc::new(Metrics::new().expect("metrics")));
        let slow = door.enter().expect("a place");
        let waits = aside(async { door.enter().map(drop) });
        assert!(Arc::clone(&slow).scope(waits).await.is_ok() && refused(door.enter()), "it has its place again");
        let mut other = None;
        let loses = aside(async {
            other = Some(door.enter()?);
            Ok(())
        });
        assert!(refused(Arc::clone(&slow).scope(loses).await), "unless another one has it");
        assert!(other.is_some());
    }

    #[tokio::test]
    async fn work_that_goes_on_holds_its_admission() {
        let door = Door::new(1, Arc::new(Metrics::new().expect("metrics")));
        let thing = Arc::new(());
        let kept = Arc::clone(&thing);
        let work = async move {
            keep(kept);
            current()
        };
        let held = door.enter().expect("a place").scope(work).await;
        assert!(held.is_some() && refused(door.enter()) && Arc::strong_count(&thing) == 2);
        drop(held);
        assert_eq!(Arc::strong_count(&thing), 1);
        assert!(door.enter().is_ok() && current().is_none() && carry(usize::MAX).is_ok());
    }
}
