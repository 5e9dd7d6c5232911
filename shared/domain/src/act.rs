//! What may people do to a job, and what does it come to for a job as it stands?

use serde::{Deserialize, Serialize};

use crate::{Event, JobState, Priority, Timestamp, WaitingFor};

/// What an operator asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// It shall not run, or stop.
    Cancel,
    /// A job that ended otherwise than by success shall run again.
    Retry,
    /// It shall wait in another class.
    Reprioritize { priority: Priority },
    /// It shall wait until this time. A time that has passed is [`Act::RunNow`].
    Reschedule { run_at: Timestamp },
    /// It shall not wait for its time any longer.
    RunNow,
}

/// A job as far as acts care.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub state: JobState,
    pub waiting_for: Option<WaitingFor>,
    pub priority: Priority,
    pub run_at: Timestamp,
    pub cancel_requested: bool,
}

/// What an act comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consequence {
    /// This happens to the job.
    Happens(Event),
    /// The job is as asked for: no error, and nothing changes.
    Nothing,
    /// The job's state, or what it waits for, does not allow it.
    Illegal,
}

impl Act {
    /// As it is written in JSON and in the audit log (`job.run_now`).
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Reprioritize { .. } => "reprioritize",
            Self::Reschedule { .. } => "reschedule",
            Self::RunNow => "run_now",
        }
    }

    /// What it comes to for a job that stands like this, at this time.
    pub fn consequence(&self, job: &Standing, now: Timestamp) -> Consequence {
        match self {
            Self::Cancel if job.state == JobState::Running && job.cancel_requested => Consequence::Nothing,
            Self::Cancel => happens(job, Event::CancelAsked),
            Self::Retry => happens(job, Event::Replayed),
            Self::Reprioritize { priority } => match happens(job, Event::Reprioritized) {
                Consequence::Happens(_) if job.priority == *priority => Consequence::Nothing,
                other => other,
            },
            Self::Reschedule { run_at } if *run_at <= now => run_now(job),
            Self::Reschedule { .. } if is_parked(job) => Consequence::Illegal,
            Self::Reschedule { run_at } if job.waiting_for == Some(WaitingFor::Time) && job.run_at == *run_at => Consequence::Nothing,
            Self::Reschedule { .. } => happens(job, Event::Rescheduled),
            Self::RunNow => run_now(job),
        }
    }
}

fn run_now(job: &Standing) -> Consequence {
    match job.state {
        JobState::Queued => Consequence::Nothing,
        _ if is_parked(job) => Consequence::Illegal,
        JobState::Waiting | JobState::Running | JobState::Succeeded | JobState::Dead | JobState::Cancelled | JobState::Expired => {
            happens(job, Event::Released)
        }
    }
}

fn happens(job: &Standing, event: Event) -> Consequence {
    job.state.after(event).map_or(Consequence::Illegal, |_| Consequence::Happens(event))
}

fn is_parked(job: &Standing) -> bool {
    job.waiting_for.is_some_and(|reason| !reason.can_be_cut_short())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fmt::Write as _;

    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_micros(1_000_000);
    const LATER: Timestamp = Timestamp::from_micros(2_000_000);

    fn standing(state: JobState, waiting_for: Option<WaitingFor>) -> Standing {
        Standing { state, waiting_for, priority: Priority::Normal, run_at: NOW, cancel_requested: false }
    }

    fn all_standings() -> Vec<Standing> {
        let waiting = WaitingFor::ALL.map(|reason| standing(JobState::Waiting, Some(reason)));
        let others = JobState::ALL.into_iter().filter(|state| *state != JobState::Waiting);
        waiting.into_iter().chain(others.map(|state| standing(state, None))).collect()
    }

    /// Every act on a job in every state, reviewed. I2, I12.
    #[test]
    fn the_grid_of_acts() {
        let acts = [
            Act::Cancel,
            Act::Retry,
            Act::Reprioritize { priority: Priority::High },
            Act::Reschedule { run_at: LATER },
            Act::Reschedule { run_at: NOW },
            Act::RunNow,
        ];
        let mut grid = format!("{:<26}{:<14}{:<14}{:<16}{:<14}{:<14}{}", "", "cancel", "retry", "reprioritize", "later", "now", "run_now");
        for job in all_standings() {
            let name = job.waiting_for.map_or(job.state.to_string(), |reason| format!("{} for {reason}", job.state));
            write!(grid, "\n{name:<26}").expect("text");
            for act in acts {
                let text = match act.consequence(&job, NOW) {
                    Consequence::Happens(event) => format!("{event:?}"),
                    Consequence::Nothing => "nothing".to_owned(),
                    Consequence::Illegal => "-".to_owned(),
                };
                let width = if matches!(act, Act::Reprioritize { .. }) { 16 } else { 14 };
                write!(grid, "{text:<width$}").expect("text");
            }
        }
        let grid = grid.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(grid);
    }

    #[test]
    fn what_is_so_already_changes_nothing() {
        let queued = standing(JobState::Queued, None);
        let waiting = Standing { run_at: LATER, ..standing(JobState::Waiting, Some(WaitingFor::Time)) };
        let asked = Standing { cancel_requested: true, ..standing(JobState::Running, None) };
        assert_eq!(Act::Reprioritize { priority: Priority::Normal }.consequence(&queued, NOW), Consequence::Nothing);
        assert_eq!(Act::Reschedule { run_at: LATER }.consequence(&waiting, NOW), Consequence::Nothing);
        assert_eq!(Act::Cancel.consequence(&asked, NOW), Consequence::Nothing);
        let retrying = Standing { run_at: LATER, ..standing(JobState::Waiting, Some(WaitingFor::Retry)) };
        let rescheduled = Consequence::Happens(Event::Rescheduled);
        assert_eq!(Act::Reschedule { run_at: LATER }.consequence(&retrying, NOW), rescheduled, "it waits for another reason");
    }

    proptest! {
        /// Whatever happens is what the state machine allows. I2.
        #[test]
        fn no_act_leaves_the_state_machine(
            job in prop::sample::select(all_standings()), act in acts(), run_at: i64, cancel_requested: bool, now: i64,
        ) {
            let job = Standing { run_at: Timestamp::from_micros(run_at), cancel_requested, ..job };
            if let Consequence::Happens(event) = act.consequence(&job, Timestamp::from_micros(now)) {
                prop_assert!(job.state.after(event).is_some(), "{act:?} on {job:?}");
            }
        }

        #[test]
        fn an_act_reads_back_as_written(act in acts()) {
            let text = serde_json::to_string(&act).expect("serializes");
            prop_assert!(text.contains(&format!(r#""action":"{}""#, act.name())), "{}", text);
            prop_assert_eq!(serde_json::from_str::<Act>(&text).expect("reads"), act);
        }
    }

    /// Instants that can be written: 1970 to 2100.
    pub(crate) fn instants() -> impl Strategy<Value = Timestamp> {
        (0_i64..4_102_444_800_000_000).prop_map(Timestamp::from_micros)
    }

    pub(crate) fn acts() -> impl Strategy<Value = Act> {
        prop_oneof![
            Just(Act::Cancel),
            Just(Act::Retry),
            Just(Act::RunNow),
            prop::sample::select(Priority::ALL.to_vec()).prop_map(|priority| Act::Reprioritize { priority }),
            instants().prop_map(|run_at| Act::Reschedule { run_at }),
        ]
    }
}
