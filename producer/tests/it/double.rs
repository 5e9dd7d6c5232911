//! Stand-ins for what the embedded parts never do by themselves: refuse, hang, panic.

use std::sync::Arc;

use async_trait::async_trait;
use broker::{BrokerError, Lack, Publisher};
use domain::{DeadNotice, Emission, EmissionId, JobId, KindInfo, NewJob, QueueName, TenantId};
use store::{Acceptance, ActError, Actor, EnqueueError, Enqueued, Intake, Remembered, Replay, StoreError};
use tokio::sync::Semaphore;

/// What an intake does with a submission or an action.
pub enum Writes {
    Refused(fn() -> StoreError),
    /// Done once the permits are there; tells that it got so far.
    Held {
        arrived: Arc<Semaphore>,
        go: Arc<Semaphore>,
    },
    /// Done, but keys that are remembered name this job.
    Misremembered(JobId),
    /// The same, and the store itself also answers with it for a key that is taken.
    Dangling(JobId),
}

/// An intake that reads as the real one does, and writes as it is told.
pub struct IntakeDouble {
    pub inner: Arc<dyn Intake>,
    pub writes: Writes,
}

impl IntakeDouble {
    async fn pass(&self) -> Result<(), StoreError> {
        match &self.writes {
            Writes::Refused(error) => Err(error()),
            Writes::Held { arrived, go } => {
                arrived.add_permits(1);
                go.acquire().await.expect("open").forget();
                Ok(())
            }
            Writes::Misremembered(_) | Writes::Dangling(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Intake for IntakeDouble {
    async fn remembered(&self, tenant: &TenantId, keys: &[String]) -> Result<Vec<Option<Remembered>>, StoreError> {
        let mut remembered = self.inner.remembered(tenant, keys).await?;
        if let Writes::Misremembered(job) | Writes::Dangling(job) = self.writes {
            remembered.iter_mut().flatten().for_each(|remembered| remembered.job = job);
        }
        Ok(remembered)
    }

    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Enqueued, EnqueueError> {
        self.pass().await?;
        let mut enqueued = self.inner.enqueue(jobs).await?;
        if let Writes::Dangling(job) = self.writes {
            enqueued.accepted.iter_mut().filter(|accepted| accepted.how != Acceptance::New).for_each(|accepted| accepted.job = job);
        }
        Ok(enqueued)
    }

    async fn cancel(&self, by: &Actor, id: JobId, reason: Option<&str>) -> Result<Replay, ActError> {
        self.pass().await?;
        self.inner.cancel(by, id, reason).await
    }

    async fn retry(&self, by: &Actor, id: JobId, payload: Option<Arc<str>>) -> Result<Replay, ActError> {
        self.pass().await?;
        self.inner.retry(by, id, payload).await
    }

    async fn kinds(&self) -> Result<Vec<KindInfo>, StoreError> {
        self.inner.kinds().await
    }

    async fn queues(&self) -> Result<Vec<QueueName>, StoreError> {
        self.inner.queues().await
    }

    async fn declare_queues(&self, queues: &[QueueName]) -> Result<(), StoreError> {
        self.inner.declare_queues(queues).await
    }
}

/// How a broker misbehaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Broken {
    Away,
    Full,
    Hanging,
}

#[async_trait]
impl Publisher for Broken {
    async fn declare(&self, _: &[QueueName]) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn publish(&self, _: &[Emission]) -> Result<Vec<EmissionId>, BrokerError> {
        match self {
            Self::Away => Err(away()),
            Self::Full => Ok(Vec::new()),
            Self::Hanging => std::future::pending().await,
        }
    }

    async fn lacks(&self) -> Result<Vec<Lack>, BrokerError> {
        if *self == Self::Away { Err(away()) } else { Ok(Vec::new()) }
    }

    async fn refilled(&self, _: &Lack) {}

    async fn announce(&self, _: &[DeadNotice]) -> Result<Vec<JobId>, BrokerError> {
        Err(away())
    }
}

fn away() -> BrokerError {
    BrokerError::Unavailable { doing: "publishing", source: "connection refused".into() }
}
