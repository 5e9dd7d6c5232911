//! The broker inside one process: bounded buffers in memory, rebuilt from the store at every start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use domain::bounds::EMBEDDED_CLASS_IDS_MAX;
use domain::{Class, Emission, EmissionId, JobId, Priority, QueueName};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::{Answer, Broker, BrokerError, Buffers, Delivery, Lack, Publisher, Receipt, Subscriber, Subscription};

/// How often a class that is empty counts as lacking, whatever we believe: it heals a hint that was lost on its way here.
const EMPTY_IS_DOUBTED_EVERY: Duration = Duration::from_secs(15);

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

    /// Now and then, every empty class may lack something.
    fn doubt(&mut self) {
        let now = Instant::now();
        if now.duration_since(*self.doubted_at.get_or_insert(now)) < EMPTY_IS_DOUBTED_EVERY {
            return;
        }
        self.doubted_at = Some(now);
        let classes = self.declared.iter().flat_map(|queue| Priority::ALL.map(|priority| Class { queue: queue.clone(), priority }));
        let empty: Vec<Class> = classes.filter(|class| self.buffers.len(class) == 0).collect();
        empty.into_iter().for_each(|class| self.lack(class));
    }
}

impl Shared {
    /// A lacking class is refilled when it has run low, in large steps: a scan for a handful of ids would mostly repeat what is here.
    fn low_water(&self) -> usize {
        self.class_ids_max / 8
    }
}

#[async_trait]
impl Publisher for EmbeddedBroker {
    async fn declare(&self, queues: &[QueueName]) -> Result<(), BrokerError> {
        let mut state = self.shared.state.lock();
        for queue in queues {
            if state.declared.insert(queue.clone()) {
                Priority::ALL.into_iter().for_each(|priority| state.lack(Class { queue: queue.clone(), priority }));
            }
        }
        Ok(())
    }

    async fn publish(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, BrokerError> {
        let mut taken = Vec::with_capacity(emissions.len());
        {
            let mut state = self.shared.state.lock();
            for emission in emissions {
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
        state.doubt();
        let low = state.lacking.iter().map(|(class, generation)| (class, state.buffers.len(class), *generation));
        let low = low.filter(|(_, held, _)| *held <= self.shared.low_water());
        Ok(low.map(|(class, held, generation)| Lack { class: class.clone(), room: self.shared.class_ids_max - held, generation }).collect())
    }

    async fn refilled(&self, lack: &Lack) {
        let mut state = self.shared.state.lock();
        if state.lacking.get(&lack.class) == Some(&lack.generation) {
            state.lacking.remove(&lack.class);
        }
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn subscribe(&self, to: Subscription) -> Result<Box<dyn Subscriber>, BrokerError> {
        Ok(Box::new(EmbeddedSubscriber { shared: Arc::clone(&self.shared), to, closed: AtomicBool::new(false) }))
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
    async fn an_empty_class_is_doubted_again_and_again() {
        let broker = EmbeddedBroker::default();
        broker.declare(&[QueueName::of("q")]).await.expect("declared");
        for lack in broker.lacks().await.expect("answered") {
            broker.refilled(&lack).await;
        }
        assert_eq!(broker.lacks().await.expect("answered"), Vec::new());
        tokio::time::advance(EMPTY_IS_DOUBTED_EVERY).await;
        assert_eq!(broker.lacks().await.expect("answered").len(), Priority::ALL.len());
    }
}
