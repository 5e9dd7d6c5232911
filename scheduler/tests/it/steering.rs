//! A store whose operations take the steps that a test planned.

use std::ops::Deref;

use async_trait::async_trait;
use domain::{
    Act, Emission, JobFilter, JobId, NewOperation, Operation, OperationId, OperationState, Priority, Target, TenantId, Timestamp,
};
use store::{ActError, Actor, Replay, Steering, Step, StoreError};

use crate::script::{Plan, Script};

/// Without a plan, there is nothing to do.
#[derive(Default)]
pub struct PlannedSteering {
    script: Script,
}

impl Deref for PlannedSteering {
    type Target = Script;

    fn deref(&self) -> &Script {
        &self.script
    }
}

const PEOPLE: &str = "people act and begin operations, never a duty";

#[async_trait]
impl Steering for PlannedSteering {
    async fn reprioritize(&self, _by: &Actor, _id: JobId, _to: Priority, _reason: Option<&str>) -> Result<Replay, ActError> {
        panic!("{PEOPLE}");
    }

    async fn reschedule(&self, _by: &Actor, _id: JobId, _run_at: Timestamp, _reason: Option<&str>) -> Result<Replay, ActError> {
        panic!("{PEOPLE}");
    }

    async fn run_now(&self, _by: &Actor, _id: JobId, _reason: Option<&str>) -> Result<Replay, ActError> {
        panic!("{PEOPLE}");
    }

    async fn operation_begin(&self, _by: &Actor, _new: &NewOperation) -> Result<Operation, StoreError> {
        panic!("{PEOPLE}");
    }

    async fn operation_step(&self, limit: usize) -> Result<Option<Step>, StoreError> {
        Ok(match self.call("operation_step", limit).await? {
            Plan::Steps(step) => Some(*step),
            Plan::Does(0) => None,
            other => panic!("a step cannot do {other:?}"),
        })
    }

    async fn operation(&self, _tenant: &TenantId, _id: OperationId) -> Result<Option<Operation>, StoreError> {
        panic!("{PEOPLE}");
    }

    async fn operations(&self, _tenant: &TenantId, _limit: usize) -> Result<Vec<Operation>, StoreError> {
        panic!("{PEOPLE}");
    }
}

/// A step that ends in this state, with these emissions.
pub fn step(state: OperationState, emissions: Vec<Emission>) -> Step {
    let (at, error) = (Timestamp::default(), (state == OperationState::Halted).then(|| "a canary is dead".to_owned()));
    let operation = Operation {
        id: OperationId::from_bytes([9; 16]),
        tenant: TenantId::of("default"),
        act: Act::Cancel,
        target: Target::Jobs(JobFilter::default()),
        reason: "test".to_owned(),
        actor: "ops".to_owned(),
        request_id: "req-1".to_owned(),
        state,
        canary: None,
        looked_at: 0,
        done: 0,
        skipped: 0,
        error,
        created_at: at,
        updated_at: at,
        finished_at: state.is_over().then_some(at),
    };
    Step { operation, emissions, next_timer: None, asked: Vec::new(), waits: false }
}
