//! Which states a job has and which event leads where: the one place this is decided (invariant I2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum JobState {
    /// Not to be run now; [`WaitingFor`] says what for.
    Waiting = 0,
    /// To be run as soon as a slot is free; the broker has been (or will be) told.
    Queued = 1,
    /// Claimed by one worker with a live lease.
    Running = 2,
    Succeeded = 3,
    /// Failed for good; an operator may replay it.
    Dead = 4,
    Cancelled = 5,
    /// Its start-before passed before its first start.
    Expired = 6,
}

/// What happens to a job. Facts, not wishes: `CancelAsked` on a running job leaves it running.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Event {
    /// Its time came, or what it waited for was freed.
    Released,
    /// The broker is told again.
    Reemitted,
    /// A worker with a live lease took it.
    Claimed,
    /// A worker may not run it now and knew before the claim.
    Parked,
    /// A worker gave it back unharmed after the claim: a limit, an unknown kind, a drain.
    Deferred,
    Succeeded,
    /// The attempt failed and another is due.
    FailedForNow,
    /// The attempt failed and was the last.
    FailedForGood,
    /// The handler ended after a cancel was asked for, other than by success.
    CancelHonoured,
    /// Its worker died; another attempt is due.
    LeaseLost,
    /// Its worker died and that was the last attempt or the last crash.
    LeaseLostForGood,
    /// Somebody asked to cancel it.
    CancelAsked,
    /// Its start-before passed.
    Expired,
    /// An operator asked to run it again.
    Replayed,
    /// An operator moved it into another class; it goes on waiting, for a time, a key or a slot.
    Reprioritized,
    /// An operator named another time; it waits for that.
    Rescheduled,
}

/// What a waiting job waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum WaitingFor {
    Time = 0,
    Retry = 1,
    FairShare = 2,
    RateLimit = 3,
    Breaker = 4,
    Concurrency = 5,
    Paused = 6,
    NoWorker = 7,
    Budget = 8,
    Dependencies = 9,
    Signal = 10,
}

/// The text or number names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}")]
pub struct UnknownState {
    what: &'static str,
    text: String,
}

impl UnknownState {
    /// No `what` has this number.
    pub(crate) fn of(what: &'static str, code: u8) -> Self {
        Self { what, text: code.to_string() }
    }
}

impl JobState {
    pub const ALL: [Self; 7] = [Self::Waiting, Self::Queued, Self::Running, Self::Succeeded, Self::Dead, Self::Cancelled, Self::Expired];
    /// The job has ended; `finished_at` is set.
    pub const TERMINAL: [Self; 4] = [Self::Succeeded, Self::Dead, Self::Cancelled, Self::Expired];
    /// An operator may run the job again.
    pub const REPLAYABLE: [Self; 3] = [Self::Dead, Self::Cancelled, Self::Expired];

    /// The state after `event`. `None`: the event does not apply here.
    pub const fn after(self, event: Event) -> Option<Self> {
        use {Event as E, JobState as S};
        match (self, event) {
            (S::Waiting, E::Released) | (S::Queued, E::Reemitted) => Some(S::Queued),
            (S::Dead | S::Cancelled | S::Expired, E::Replayed) => Some(S::Queued),
            (S::Queued, E::Claimed) => Some(S::Running),
            (S::Queued, E::Parked) => Some(S::Waiting),
            (S::Running, E::Deferred | E::FailedForNow | E::LeaseLost) => Some(S::Waiting),
            (S::Running, E::Succeeded) => Some(S::Succeeded),
            (S::Running, E::FailedForGood | E::LeaseLostForGood) => Some(S::Dead),
            (S::Running, E::CancelHonoured) | (S::Waiting | S::Queued, E::CancelAsked) => Some(S::Cancelled),
            (S::Running, E::CancelAsked) => Some(S::Running),
            (S::Waiting | S::Queued, E::Expired) => Some(S::Expired),
            (S::Waiting, E::Reprioritized | E::Rescheduled) | (S::Queued, E::Rescheduled) => Some(S::Waiting),
            (S::Queued, E::Reprioritized) => Some(S::Queued),
            (S::Waiting | S::Queued | S::Running | S::Succeeded | S::Dead | S::Cancelled | S::Expired, _) => None,
        }
    }

    pub const fn is_terminal(self) -> bool {
        self.code() >= Self::Succeeded.code()
    }

    /// The number in the store.
    pub const fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|s| s.code() == code).ok_or_else(|| UnknownState::of("job state", code))
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl Event {
    pub const ALL: [Self; 16] = [
        Self::Released,
        Self::Reemitted,
        Self::Claimed,
        Self::Parked,
        Self::Deferred,
        Self::Succeeded,
        Self::FailedForNow,
        Self::FailedForGood,
        Self::CancelHonoured,
        Self::LeaseLost,
        Self::LeaseLostForGood,
        Self::CancelAsked,
        Self::Expired,
        Self::Replayed,
        Self::Reprioritized,
        Self::Rescheduled,
    ];
}

impl WaitingFor {
    pub const ALL: [Self; 11] = [
        Self::Time,
        Self::Retry,
        Self::FairShare,
        Self::RateLimit,
        Self::Breaker,
        Self::Concurrency,
        Self::Paused,
        Self::NoWorker,
        Self::Budget,
        Self::Dependencies,
        Self::Signal,
    ];

    /// The number in the store.
    pub const fn code(self) -> u8 {
        self as u8
    }

    pub fn from_code(code: u8) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|w| w.code() == code).ok_or_else(|| UnknownState::of("reason to wait", code))
    }

    /// Whether an operator may end the wait or set it to another time. Not what waits for a key: letting go a job whose
    /// effect is held would make the effect again (I6), and one that no worker knows would only come back.
    pub const fn can_be_cut_short(self) -> bool {
        match self {
            Self::Time | Self::Retry | Self::RateLimit => true,
            Self::FairShare
            | Self::Breaker
            | Self::Concurrency
            | Self::Paused
            | Self::NoWorker
            | Self::Budget
            | Self::Dependencies
            | Self::Signal => false,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Retry => "retry",
            Self::FairShare => "fair_share",
            Self::RateLimit => "rate_limit",
            Self::Breaker => "breaker",
            Self::Concurrency => "concurrency",
            Self::Paused => "paused",
            Self::NoWorker => "no_worker",
            Self::Budget => "budget",
            Self::Dependencies => "dependencies",
            Self::Signal => "signal",
        }
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for WaitingFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for JobState {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        let error = || UnknownState {
            what: "job state (waiting, queued, running, succeeded, dead, cancelled or expired)",
            text: text.chars().take(32).collect(),
        };
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// The whole grid, reviewed: a new state or event changes it, and an unmeant change is seen. I2.
    #[test]
    fn the_grid_of_transitions() {
        let mut grid = String::new();
        write!(grid, "{:<18}", "").expect("text");
        for state in JobState::ALL {
            write!(grid, "{state:<11}").expect("text");
        }
        for event in Event::ALL {
            write!(grid, "\n{:<18}", format!("{event:?}")).expect("text");
            for state in JobState::ALL {
                write!(grid, "{:<11}", state.after(event).map_or("-", JobState::as_str)).expect("text");
            }
        }
        let grid = grid.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(grid);
    }

    #[test]
    fn terminal_states_are_those_past_succeeded() {
        for state in JobState::ALL {
            assert_eq!(state.is_terminal(), JobState::TERMINAL.contains(&state), "{state}");
            assert_eq!(JobState::REPLAYABLE.contains(&state), state.after(Event::Replayed).is_some(), "{state}");
        }
    }

    #[test]
    fn codes_and_texts_round_trip() {
        for state in JobState::ALL {
            assert_eq!(JobState::from_code(state.code()), Ok(state));
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for reason in WaitingFor::ALL {
            assert_eq!(WaitingFor::from_code(reason.code()), Ok(reason));
        }
        assert!(JobState::from_code(7).is_err());
    }
}
