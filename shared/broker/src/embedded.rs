//! The broker inside one process: bounded buffers in memory, rebuilt from the store at every start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::bounds::{EMBEDDED_CLASS_IDS_MAX, EMBEDDED_LOW_WATER_PARTS};
use domain::{Class, ClassMark, DeadNotice, Emission, EmissionId, JobId, Pace, Priority, QueueName};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Answer, Broker, BrokerError, Buffers, DeadLetter, DeadLetters, Delivery, Lack, Publisher, Receipt, Subscriber, Subscription};

/// How often every class is compared with the store. What the broker holds already is told once, so a look costs a scan.
const DOUBT_EVERY: Duration = Duration::from_secs(15);

/// The in-process broker. Clones share it.
#[derive(Clone)]
pub struct EmbeddedBroker {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Told whenever an id arrived; every waiting subscriber looks again.
    arrived: Notify,
    class_ids_max: usize,
}

#[derive(Default)]
struct State {
    buffers: Buffers,
    declared: BTreeSet<QueueName>,
    /// Classes that refused an id or have just been declared: the store may hold more than we do.
    lacking: BTreeMap<Class, u64>,
    generation: u64,
    doubted_at: Option<Instant>,
}

impl Default for EmbeddedBroker {
    fn default() -> Self {
        Self::with_capacity(EMBEDDED_CLASS_IDS_MAX)
    }
}

impl EmbeddedBroker {
    /// A broker that holds at most `class_ids_max` ids of each class.
    pub fn with_capacity(class_ids_max: usize) -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), arrived: Notify::new(), class_ids_max }) }
    }

    /// How many ids it holds of this class.
    pub fn depth(&self, class: &Class) -> usize {
        self.shared.state.lock().buffers.len(class)
    }
}

impl State {
    fn lack(&mut self, class: Class) {
        self.generation += 1;
        self.lacking.insert(class, self.generation);
    }

    /// Now and then, every class may lack something, whatever we believe: a hint can get lost on its way here.
    fn doubt(&mut self) -> Vec<Class> {
        let now = Instant::now();
        if now.duration_since(*self.doubted_at.get_or_insert(now)) < DOUBT_EVERY {
            return Vec::new();
        }
        self.doubted_at = Some(now);
        let classes = |queue: &QueueName| Priority::ALL.map(|priority| Class { queue: queue.clone(), priority });
        self.declared.iter().flat_map(classes).collect()
    }

    fn declare(&mut self, queue: &QueueName) {
        if self.declared.insert(queue.clone()) {
            Priority::ALL.into_iter().for_each(|priority| self.lack(Class { queue: queue.clone(), priority }));
        }
    }
}

impl Shared {
    /// A lacking class is refilled when it has run low, in large steps: a scan for a handful of ids would mostly repeat what is here.
    fn low_water(&self) -> usize {
        self.class_ids_max / EMBEDDED_LOW_WATER_PARTS
    }
}

#[async_trait]
impl Publisher for EmbeddedBroker {
    async fn declare(&self, queues: &[QueueName]) -> Result<(), BrokerError> {
        let mut state = self.shared.state.lock();
        queues.iter().for_each(|queue| state.declare(queue));
        Ok(())
    }

    async fn publish(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, BrokerError> {
        let mut taken = Vec::with_capacity(emissions.len());
        {
            let mut state = self.shared.state.lock();
            for emission in emissions {
                // A kind may have brought a queue of its own since the start.
                state.declare(&emission.class.queue);
                if state.buffers.len(&emission.class) + emission.jobs.len() > self.shared.class_ids_max {
                    state.lack(emission.class.clone());
                    continue;
                }
                state.buffers.push_back(&emission.class, emission.jobs.iter().copied());
                taken.push(emission.id);
            }
        }
        self.shared.arrived.notify_waiters();
        Ok(taken)
    }

    async fn lacks(&self) -> Result<Vec<Lack>, BrokerError> {
        let mut state = self.shared.state.lock();
        let doubted = state.doubt();
        let low_water = self.shared.low_water();
        let low = state.lacking.iter().filter(|(class, _)| state.buffers.len(class) <= low_water);
        let mut lacks: BTreeMap<Class, u64> = low.map(|(class, generation)| (class.clone(), *generation)).collect();
        // A doubt is looked into once, also where there is plenty: what got lost is older than most of it.
        doubted.into_iter().for_each(|class| _ = lacks.entry(class).or_insert(0));
        let room = |class: &Class| self.shared.class_ids_max.saturating_sub(state.buffers.len(class));
        let lacks = lacks.into_iter().map(|(class, generation)| Lack { room: room(&class), class, generation });
        Ok(lacks.filter(|lack| lack.room > 0).collect())
    }

    async fn refilled(&self, lack: &Lack) {
        let mut state = self.shared.state.lock();
        if state.lacking.get(&lack.class) == Some(&lack.generation) {
            state.lacking.remove(&lack.class);
        }
    }

    /// Outside this process there is nobody to tell: the store's dead letters are all there is.
    async fn announce(&self, notices: &[DeadNotice]) -> Result<Vec<JobId>, BrokerError> {
        Ok(notices.iter().map(|notice| notice.job).collect())
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn subscribe(&self, to: Subscription, _slots: u32) -> Result<Box<dyn Subscriber>, BrokerError> {
        Ok(Box::new(EmbeddedSubscriber { shared: Arc::clone(&self.shared), to, closed: AtomicBool::new(false) }))
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        Ok(Box::new(NoDeadLetters))
    }
}

/// Only this process puts anything into the embedded broker, and all of it is hints.
struct NoDeadLetters;

#[async_trait]
impl DeadLetters for NoDeadLetters {
    async fn next(&self) -> Result<DeadLetter, BrokerError> {
        std::future::pending().await
    }
}

struct EmbeddedSubscriber {
    shared: Arc<Shared>,
    to: Subscription,
    closed: AtomicBool,
}

impl EmbeddedSubscriber {
    fn take_now(&self, ids_max: usize) -> Vec<Delivery> {
        let open = |class: &Class| match &self.to {
            Subscription::All => true,
            Subscription::Queues(queues) => queues.contains(&class.queue),
        };
        let taken = self.shared.state.lock().buffers.take(ids_max, open);
        let receipt = || Box::new(EmbeddedReceipt { shared: Arc::clone(&self.shared) });
        taken.into_iter().map(|(class, ids)| Delivery::new(class, ids, Vec::new(), receipt())).collect()
    }
}

#[async_trait]
impl Subscriber for EmbeddedSubscriber {
    async fn take(&self, ids_max: usize) -> Result<Vec<Delivery>, BrokerError> {
        loop {
            // Registered before looking, so that an id arriving in between wakes us.
            let arrived = self.shared.arrived.notified();
            if self.closed.load(Ordering::Acquire) {
                return Err(BrokerError::Closed);
            }
            let taken = self.take_now(ids_max);
            if !taken.is_empty() {
                return Ok(taken);
            }
            arrived.await;
        }
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.shared.arrived.notify_waiters();
    }

    fn marks(&self) -> Vec<ClassMark> {
        Vec::new()
    }

    fn pace(&self, _pace: &Pace) {}
}

struct EmbeddedReceipt {
    shared: Arc<Shared>,
}

impl Receipt for EmbeddedReceipt {
    fn answer(self: Box<Self>, class: Class, jobs: Vec<JobId>, answer: Answer) {
        if answer == Answer::Requeue && !jobs.is_empty() {
            self.shared.state.lock().buffers.push_front(&class, jobs.into_iter());
            self.shared.arrived.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// I1: a hint that got lost between the store and the broker is found without any event.
    #[tokio::test(start_paused = true)]
    async fn every_class_is_doubted_again_and_again() {
        let broker = EmbeddedBroker::default();
        let class = Class { queue: QueueName::of("q"), priority: Priority::Normal };
        let job = |n| JobId::from_bytes([n; 16]);
        let emission = Emission { id: EmissionId::from_bytes([0; 16]), class, jobs: (0..9).map(job).collect() };
        broker.publish(&[emission]).await.expect("published");
        for lack in broker.lacks().await.expect("answered") {
            broker.refilled(&lack).await;
        }
        assert_eq!(broker.lacks().await.expect("answered"), Vec::new());
        tokio::time::advance(DOUBT_EVERY).await;
        assert_eq!(broker.lacks().await.expect("answered").len(), Priority::ALL.len(), "empty or not");
        assert_eq!(broker.lacks().await.expect("answered"), Vec::new(), "once");
    }
}
