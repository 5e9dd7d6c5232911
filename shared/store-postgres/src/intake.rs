//! How does the port's intake reach the writer and the readers?

use std::sync::Arc;

use async_trait::async_trait;
use domain::{JobId, KindInfo, NewJob, QueueName, TenantId};
use store::{ActError, Actor, EnqueueError, Enqueued, Intake, Remembered, Replay, Store, StoreError};

use crate::PostgresStore;
use crate::act::{Cancel, Refused, Retry};
use crate::enqueue::remembered;
use crate::row::{Columns, kind};
use crate::tx::sql;
use crate::worker::DeclareQueues;

impl From<Refused> for ActError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NotFound,
            Refused::Illegal(state) => Self::Illegal(state),
        }
    }
}

#[async_trait]
impl Intake for PostgresStore {
    async fn remembered(&self, tenant: &TenantId, keys: &[String]) -> Result<Vec<Option<Remembered>>, StoreError> {
        remembered(&self.reader, tenant, keys, self.now()).await
    }

    async fn enqueue(&self, jobs: Vec<NewJob>) -> Result<Enqueued, EnqueueError> {
        if jobs.is_empty() {
            return Ok(Enqueued::default());
        }
        self.batcher.enqueue(jobs).await
    }

    async fn cancel(&self, by: &Actor, id: JobId, reason: Option<&str>) -> Result<Replay, ActError> {
        let cancel = Cancel { by: by.clone(), id, reason: reason.map(str::to_owned) };
        Ok(self.lanes.write(cancel).await??)
    }

    async fn retry(&self, by: &Actor, id: JobId, payload: Option<Arc<str>>) -> Result<Replay, ActError> {
        Ok(self.lanes.write(Retry { by: by.clone(), id, payload }).await??)
    }

    async fn kinds(&self) -> Result<Vec<KindInfo>, StoreError> {
        let doing = "listing kinds";
        let rows = self.reader.rows(doing, sql(include_str!("../queries/kind_list.sql"))).await?;
        rows.iter().map(|row| kind(row).map_err(|fault| fault.into_error(doing))).collect()
    }

    async fn queues(&self) -> Result<Vec<QueueName>, StoreError> {
        let doing = "listing queues";
        let rows = self.reader.rows(doing, sql(include_str!("../queries/queue_list.sql"))).await?;
        rows.iter().map(|row| Columns::of(row).parsed().map_err(|fault| fault.into_error(doing))).collect()
    }

    async fn declare_queues(&self, queues: &[QueueName]) -> Result<(), StoreError> {
        self.lanes.write(DeclareQueues { queues: queues.to_vec() }).await
    }
}
