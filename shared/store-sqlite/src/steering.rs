//! How does the port's steering reach the writer and the readers?

use async_trait::async_trait;
use domain::bounds::OPERATIONS_SHOWN_MAX;
use domain::{Act, JobId, NewOperation, Operation, OperationId, Priority, TenantId, Timestamp};
use store::{ActError, Actor, Replay, Steering, Step, StoreError};

use crate::SqliteStore;
use crate::act::ActOn;
use crate::operation::{Begin, find, operation};
use crate::operation_step::{PassOver, StepOn};
use crate::shelf::readable;
use crate::tx::sql;

impl SqliteStore {
    async fn act_on(&self, by: &Actor, id: JobId, act: Act, reason: Option<&str>) -> Result<Replay, ActError> {
        Ok(self.queue.write(ActOn { by: by.clone(), id, act, reason: reason.map(str::to_owned), payload: None }).await??)
    }
}

#[async_trait]
impl Steering for SqliteStore {
    async fn reprioritize(&self, by: &Actor, id: JobId, priority: Priority, reason: Option<&str>) -> Result<Replay, ActError> {
        self.act_on(by, id, Act::Reprioritize { priority }, reason).await
    }

    async fn reschedule(&self, by: &Actor, id: JobId, run_at: Timestamp, reason: Option<&str>) -> Result<Replay, ActError> {
        self.act_on(by, id, Act::Reschedule { run_at }, reason).await
    }

    async fn run_now(&self, by: &Actor, id: JobId, reason: Option<&str>) -> Result<Replay, ActError> {
        self.act_on(by, id, Act::RunNow, reason).await
    }

    async fn operation_begin(&self, by: &Actor, new: &NewOperation) -> Result<Operation, StoreError> {
        self.queue.write(Begin { by: by.clone(), new: new.clone() }).await
    }

    async fn operation_step(&self, limit: usize) -> Result<Option<Step>, StoreError> {
        let step = self.queue.write(StepOn { limit }).await;
        if matches!(step, Err(StoreError::Broken { .. })) {
            self.queue.write(PassOver).await?;
        }
        step
    }

    async fn operation(&self, tenant: &TenantId, id: OperationId) -> Result<Option<Operation>, StoreError> {
        self.read_one("reading an operation", find(tenant, id), operation).await
    }

    async fn operations(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Operation>, StoreError> {
        let limit = i64::try_from(limit.clamp(1, OPERATIONS_SHOWN_MAX)).unwrap_or(i64::MAX);
        let statement = sql(include_str!("../queries/operation_list.sql")).bind(tenant.to_string()).bind(limit);
        Ok(readable(&self.reader.rows("listing operations", statement).await?, operation))
    }
}
