//! The ledger oracle: was anything lost or doubled? It stands outside of the fleet and is told everything that was promised, done
//! and stored; from that alone it says what went wrong. It has no clock and reads nothing: times are milliseconds since 1970, by
//! the clock of the host that all of a test's servers share.
//!
//! | word | is |
//! |---|---|
//! | lost | accepted, and in no terminal state at the end; or ended well without the effect that it owes |
//! | doubled | an effect sent again after its confirmation was stored; a `hold` or `verify` effect sent twice; two ends of one job; two bodies or two jobs under one key; two sets of jobs for one submission |
//! | repeated | a `repeat_same_key` effect of unknown outcome sent again under its key, at most as often as jobs were in flight at the faults injected by then. Permitted; what is beyond is doubled |
//! | stuck | accepted, in no terminal state, and without progress for so long that nothing will move it any more. Lost as well |
//! | late | ended after its deadline by more than a bound |
//! | stranger | a job in the store that nobody accepted, unless the outcome of its submission is unknown; an effect of a job that nobody knows |

mod judging;
mod ledger_line;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

pub use verdict::{Finding, Verdict, Word};

/// What becomes of an effect when nobody knows whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    RepeatSameKey,
    Verify,
    Hold,
}

/// A request that made an effect, as the other side saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What tells repeats from news.
    pub key: String,
    pub job: String,
    /// Which of the job's effects.
    pub name: String,
    pub policy: Policy,
    /// A hash of its body.
    pub body: u64,
    pub at_ms: u64,
    /// When its answer was on its way; `None` when its sender had gone by then.
    pub answered_at_ms: Option<u64>,
}

/// A job as the store knows it at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub job: String,
    /// The submission that its payload names.
    pub submission: Option<String>,
    /// When it came into a terminal state.
    pub ended_at_ms: Option<u64>,
    pub deadline_ms: Option<u64>,
    /// When something last happened to it.
    pub moved_at_ms: u64,
    /// How many ends the store has recorded for it: 0 or 1 when that cannot be told.
    pub ends: u32,
}

/// What the verdict measures by.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub now_ms: u64,
    /// Who has not moved for this long is stuck.
    pub stuck_after_ms: u64,
    /// So much after its deadline, a job is late.
    pub late_by_ms: u64,
}

/// What a submitter knows of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Refused,
    Unknown,
    Accepted(Vec<String>),
}

#[derive(Debug, Clone)]
struct Fault {
    name: String,
    at_ms: u64,
    in_flight: usize,
}

/// An effect: a job's, by its name.
type Effect = (String, String);

/// Everything it was told.
#[derive(Debug, Default)]
pub struct Oracle {
    submissions: BTreeMap<String, Outcome>,
    /// Submissions that were answered with different jobs.
    disputed: BTreeSet<String>,
    /// When each job was.
    accepted: BTreeMap<String, u64>,
    sent: BTreeMap<Effect, Vec<Sent>>,
    /// Where the request is that a judge gave this number.
    numbered: BTreeMap<u64, (Effect, usize)>,
    confirmed: BTreeMap<Effect, u64>,
    owed: BTreeSet<Effect>,
    found: BTreeMap<String, Found>,
    /// What was counted, how often the store has counted it, and how many jobs there are of it.
    settles: Vec<(String, u64, u64)>,
    faults: Vec<Fault>,
}

impl Oracle {
    pub fn new() -> Self {
        Self::default()
    }

    /// A submission was answered: these are its jobs, all of them, in order.
    pub fn accepted(&mut self, submission: &str, jobs: &[String], at_ms: u64) {
        self.accepted.extend(jobs.iter().map(|job| (job.clone(), at_ms)));
        let before = self.submissions.insert(submission.to_owned(), Outcome::Accepted(jobs.to_vec()));
        if matches!(before, Some(Outcome::Accepted(before)) if before != jobs) {
            self.disputed.insert(submission.to_owned());
        }
    }

    /// A submission was refused: nothing of it is stored.
    pub fn refused(&mut self, submission: &str) {
        // What was unknown before may be stored all the same.
        self.submissions.entry(submission.to_owned()).or_insert(Outcome::Refused);
    }

    /// Nobody knows whether a submission is stored. An answer to the same submission settles it.
    pub fn unknown(&mut self, submission: &str) {
        let outcome = self.submissions.entry(submission.to_owned()).or_insert(Outcome::Unknown);
        if *outcome == Outcome::Refused {
            *outcome = Outcome::Unknown;
        }
    }

    /// A fault is injected while effects of so many jobs may be under way. Told before the injection; for one that lasts, and in
    /// which more jobs start, also at its end.
    pub fn fault(&mut self, name: &str, at_ms: u64, in_flight: usize) {
        self.faults.push(Fault { name: name.to_owned(), at_ms, in_flight });
    }

    /// An effect was made.
    pub fn sent(&mut self, sent: Sent) {
        self.sent.entry((sent.job.clone(), sent.name.clone())).or_default().push(sent);
    }

    /// The store has this effect as confirmed since then.
    pub fn confirmed(&mut self, job: &str, name: &str, at_ms: u64) {
        self.confirmed.insert((job.to_owned(), name.to_owned()), at_ms);
    }

    /// This job has ended as it only can when its effect was made.
    pub fn owes(&mut self, job: &str, name: &str) {
        self.owed.insert((job.to_owned(), name.to_owned()));
    }

    /// The store has this job at the end.
    pub fn found(&mut self, found: Found) {
        self.found.insert(found.job.clone(), found);
    }

    /// Of `jobs` jobs the store has counted so many ends of a sort (`succeeded`, `dead`): each counts once.
    pub fn settles(&mut self, what: &str, counted: u64, jobs: u64) {
        self.settles.push((what.to_owned(), counted, jobs));
    }
}

#[cfg(test)]
mod tests;
