//! How does what people do to jobs reach the lanes?

use async_trait::async_trait;
use domain::bounds::OPERATIONS_SHOWN_MAX;
use domain::{Act, JobId, NewOperation, Operation, OperationId, Priority, TenantId, Timestamp};
use store::{ActError, Actor, Replay, Steering, Step, StoreError};

use crate::PostgresStore;
use crate::act::{ActOnOne, Refused};
use crate::lane::Write as _;
use crate::operation::{Begin, GoOn, OPERATION_FIND, PutOff};
use crate::operation_row::operation;
use crate::shelf::readable;
use crate::tx::sql;

impl From<Refused> for ActError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::NotFound => Self::NotFound,
            Refused::Illegal(state) => Self::Illegal(state),
        }
    }
}

impl PostgresStore {
    pub(crate) async fn act_on_one(&self, by: &Actor, id: JobId, act: Act, reason: Option<&str>) -> Result<Replay, ActError> {
        let one = ActOnOne { by: by.clone(), id, act, reason: reason.map(str::to_owned), payload: None };
        Ok(self.lanes.write(one).await??)
    }
}

#[async_trait]
impl Steering for PostgresStore {
    async fn reprioritize(&self, by: &Actor, id: JobId, priority: Priority, reason: Option<&str>) -> Result<Replay, ActError> {
        self.act_on_one(by, id, Act::Reprioritize { priority }, reason).await
    }

    async fn reschedule(&self, by: &Actor, id: JobId, run_at: Timestamp, reason: Option<&str>) -> Result<Replay, ActError> {
        self.act_on_one(by, id, Act::Reschedule { run_at }, reason).await
    }

    async fn run_now(&self, by: &Actor, id: JobId, reason: Option<&str>) -> Result<Replay, ActError> {
        self.act_on_one(by, id, Act::RunNow, reason).await
    }

    async fn operation_begin(&self, by: &Actor, new: &NewOperation) -> Result<Operation, StoreError> {
        self.lanes.write(Begin::new(by, new)).await
    }

    async fn operation_step(&self, limit: usize) -> Result<Option<Step>, StoreError> {
        let step = self.lanes.try_write(GoOn { limit }).await;
        if step.as_ref().is_err_and(PutOff::is_for)
            && let Err(error) = self.lanes.write(PutOff).await
        {
            tracing::debug!(%error, "an operation whose step failed was not put off");
        }
        step.map_err(|fault| fault.into_error(GoOn::DOING))
    }

    async fn operation(&self, tenant: &TenantId, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let statement = sql(OPERATION_FIND).bind(tenant.to_string()).bind(*id.as_uuid());
        self.read_one("reading an operation", statement, operation).await
    }

    async fn operations(&self, tenant: &TenantId, limit: usize) -> Result<Vec<Operation>, StoreError> {
        let limit = i64::try_from(limit.min(OPERATIONS_SHOWN_MAX)).unwrap_or(i64::MAX);
        let statement = sql(include_str!("../queries/operation_list.sql")).bind(tenant.to_string()).bind(limit);
        let rows = self.reader.list("listing operations", statement).await?;
        Ok(readable(&rows, operation))
    }
}
