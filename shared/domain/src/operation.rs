//! An act on many jobs: which, how far it has come, and what came of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Act, DeadFilter, JobFilter, JobId, OperationId, TenantId, Timestamp, UnknownState};

/// Which jobs an operation is about. Only those that are there when it begins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Jobs(JobFilter),
    /// These, at most [`crate::bounds::OPERATION_IDS_MAX`]; one named twice is meant once.
    Ids(Vec<JobId>),
    /// The jobs of these dead letters.
    Dead(DeadFilter),
}

/// An operation to be begun.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewOperation {
    pub id: OperationId,
    pub act: Act,
    pub target: Target,
    /// What the person gives as the reason.
    pub reason: String,
    /// So many go ahead, at most [`crate::bounds::CANARIES_MAX`]; the rest waits until they have succeeded.
    pub canary: Option<u32>,
}

/// Where an operation stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum OperationState {
    /// There are jobs to look at.
    Running = 0,
    /// The first ones are on their way, and the rest waits for their end.
    Canary = 1,
    /// All jobs were looked at.
    Succeeded = 2,
    /// A canary did not succeed, or did not end in time: the rest was left as it was.
    Halted = 3,
}

/// An act on many jobs as people see it. What was looked at was either done or skipped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    pub id: OperationId,
    pub tenant: TenantId,
    pub act: Act,
    pub target: Target,
    pub reason: String,
    /// The name of the key or the user who began it.
    pub actor: String,
    pub request_id: String,
    pub state: OperationState,
    pub canary: Option<u32>,
    /// Jobs that it came across.
    pub looked_at: u64,
    /// Those to which it happened.
    pub done: u64,
    /// Those that did not allow it, or were as asked for already.
    pub skipped: u64,
    /// Why it was halted.
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl OperationState {
    pub const ALL: [Self; 4] = [Self::Running, Self::Canary, Self::Succeeded, Self::Halted];

    /// Nothing more will come of it.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Halted)
    }

    /// The number in the store.
    pub const fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|s| s.code() == code).ok_or_else(|| UnknownState::of("state of an operation", code))
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Canary => "canary",
            Self::Succeeded => "succeeded",
            Self::Halted => "halted",
        }
    }
}

impl fmt::Display for OperationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::act::tests::instants;
    use crate::{JobState, KindName, QueueName};
    use proptest::option::of;
    use proptest::prelude::*;

    fn texts() -> impl Strategy<Value = String> {
        "\\PC{1,20}"
    }

    fn targets() -> impl Strategy<Value = Target> {
        let kinds = || of(Just(KindName::of("mail.send")));
        let queues = || of(Just(QueueName::of("mail")));
        let times = || (of(instants()), of(instants()));
        let jobs = (of(prop::sample::select(JobState::ALL.to_vec())), kinds(), queues(), of(texts()), times(), of(texts()));
        let jobs = jobs.prop_map(|(state, kind, queue, tag, (created_after, created_before), q)| {
            Target::Jobs(JobFilter { state, kind, queue, tag, created_after, created_before, q })
        });
        let dead = (queues(), kinds(), of(texts()), of(texts()), times());
        let dead = dead.prop_map(|(queue, kind, fingerprint, reason, (dead_after, dead_before))| {
            Target::Dead(DeadFilter { queue, kind, fingerprint, reason, dead_after, dead_before })
        });
        let ids = prop::collection::vec(any::<u128>().prop_map(|id| JobId::from_bytes(id.to_be_bytes())), 0..5);
        prop_oneof![jobs, dead, ids.prop_map(Target::Ids)]
    }

    proptest! {
        #[test]
        fn a_target_reads_back_as_written(target in targets()) {
            let text = serde_json::to_string(&target).expect("serializes");
            prop_assert_eq!(serde_json::from_str::<Target>(&text).expect("reads"), target);
        }
    }

    /// Half a filter would name more jobs than were meant.
    #[test]
    fn a_filter_that_is_not_understood_is_refused() {
        for text in [r#"{"jobs":{"colour":"red"}}"#, r#"{"dead":{"kind":"mail.send","colour":"red"}}"#, r#"{"all":{}}"#] {
            assert!(serde_json::from_str::<Target>(text).is_err(), "{text}");
        }
        assert!(JobFilter::default().is_empty() && DeadFilter::default().is_empty());
        assert!(!JobFilter { q: Some("x".to_owned()), ..JobFilter::default() }.is_empty());
        assert!(!DeadFilter { reason: Some("x".to_owned()), ..DeadFilter::default() }.is_empty());
    }

    #[test]
    fn codes_round_trip() {
        for state in OperationState::ALL {
            assert_eq!(OperationState::from_code(state.code()), Ok(state));
        }
        assert!(OperationState::from_code(4).is_err());
    }
}
