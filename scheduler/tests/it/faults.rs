//! What if the broker fails in the middle of a duty?

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use broker::{Broker, BrokerError, DeadLetters, EmbeddedBroker, Lack, Publisher, Subscriber, Subscription};
use domain::{DeadNotice, Emission, EmissionId, JobId, QueueName};
use parking_lot::Mutex;
use scheduler::Predecessors;

use crate::bench::hinted;
use crate::script::Plan;
use crate::stage::Stage;

const SECOND: Duration = Duration::from_secs(1);

enum Fault {
    Fails,
    Hangs,
}

/// An embedded broker on the far side of a bad line.
struct FarBroker {
    inner: EmbeddedBroker,
    faults: Mutex<VecDeque<Fault>>,
}

#[async_trait]
impl Publisher for FarBroker {
    async fn declare(&self, queues: &[QueueName]) -> Result<(), BrokerError> {
        self.inner.declare(queues).await
    }

    async fn publish(&self, emissions: &[Emission]) -> Result<Vec<EmissionId>, BrokerError> {
        let fault = self.faults.lock().pop_front();
        match fault {
            Some(Fault::Fails) => Err(BrokerError::Unavailable { doing: "publishing", source: "the line is cut".into() }),
            Some(Fault::Hangs) => std::future::pending().await,
            None => self.inner.publish(emissions).await,
        }
    }

    async fn lacks(&self) -> Result<Vec<Lack>, BrokerError> {
        self.inner.lacks().await
    }

    async fn refilled(&self, lack: &Lack) {
        self.inner.refilled(lack).await;
    }

    async fn announce(&self, notices: &[DeadNotice]) -> Result<Vec<JobId>, BrokerError> {
        self.inner.announce(notices).await
    }
}

#[async_trait]
impl Broker for FarBroker {
    async fn subscribe(&self, to: Subscription, slots: u32) -> Result<Box<dyn Subscriber>, BrokerError> {
        self.inner.subscribe(to, slots).await
    }

    async fn dead_letters(&self) -> Result<Box<dyn DeadLetters>, BrokerError> {
        self.inner.dead_letters().await
    }
}

/// A stage with one queued emission the broker has not heard of, and the broker as the duties see it.
async fn stage(faults: impl IntoIterator<Item = Fault>) -> (Stage, Arc<FarBroker>) {
    let stage = Stage::new();
    stage.broker.declare(&[stage.class().queue]).await.expect("declared");
    stage.upkeep.queued.lock().push(stage.emission(3));
    let far = FarBroker { inner: stage.broker.clone(), faults: Mutex::new(faults.into_iter().collect()) };
    (stage, Arc::new(far))
}

/// I1: what the broker did not confirm is not believed to be there.
#[tokio::test(start_paused = true)]
async fn a_class_is_refilled_only_when_the_broker_took_it() {
    let (stage, far) = stage([Fault::Fails, Fault::Hangs]).await;
    let hints = stage.broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    let running = stage.start_with(far, Predecessors::Buried);
    running.ran("resend", 1).await;
    assert_eq!(running.status("resend").last_error.as_deref(), Some("the broker is unavailable while publishing: the line is cut"));
    running.ran("resend", 2).await;
    let late = "the broker is unavailable while taking emissions: deadline has elapsed";
    assert_eq!(running.status("resend").last_error.as_deref(), Some(late));
    assert_eq!(hinted(&*hints, 10).await.len(), 3);
    // At the start; a second later, for the five that a hand-over may take; and a second after that.
    assert_eq!(stage.upkeep.times("emissions_due").last(), Some(&(7 * SECOND)));
}

/// I16: jobs are queued although the broker is away; the duty says so and goes on.
#[tokio::test(start_paused = true)]
async fn promoting_goes_on_without_a_broker() {
    let (stage, far) = stage([]).await;
    far.faults.lock().extend([Fault::Fails, Fault::Fails]);
    stage.upkeep.queued.lock().clear();
    stage.upkeep.plan("promote", [Plan::Promotes(vec![stage.emission(2)], None), Plan::Promotes(vec![stage.emission(2)], None)]);
    let running = stage.start_with(far, Predecessors::Buried);
    running.ran("promote", 3).await;
    assert_eq!((running.passes("promote", "failed"), running.passes("promote", "ok")), (2, 1));
    assert_eq!(stage.upkeep.times("promote"), [Duration::ZERO, SECOND, 2 * SECOND]);
}
