//! How does the port's intake reach the writer and the readers?

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Act, JobId, KindInfo, NewJob, QueueName, TenantId};
use store::{ActError, Actor, EnqueueError, Enqueued, Intake, Remembered, Replay, Store, StoreError};

use crate::PostgresStore;
use crate::act::ActOnOne;
use crate::enqueue::remembered;
use crate::row::{Columns, kind};
use crate::tx::sql;
use crate::worker::DeclareQueues;

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
        self.act_on_one(by, id, Act::Cancel, reason).await
    }

    async fn retry(&self, by: &Actor, id: JobId, payload: Option<Arc<str>>) -> Result<Replay, ActError> {
        Ok(self.lanes.write(ActOnOne { by: by.clone(), id, act: Act::Retry, reason: None, payload }).await??)
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
