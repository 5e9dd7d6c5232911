//! Is every faithful history clean, and is every sin found in it, and nothing else? On histories that dice make.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// Long after everything.
const LATER: Bounds = Bounds { now_ms: 1_000_000, ..BOUNDS };

/// How a job fared in a fleet that keeps its promises.
#[derive(Debug, Clone)]
struct Fate {
    policy: Policy,
    /// Whoever made its effect died, and nobody knew the outcome.
    died: bool,
    /// The first answer to its submission was lost; the second may be.
    answers_lost: u8,
}

/// Something that must never happen.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Sin {
    Forget,
    Stall,
    Stick,
    ComeLate,
    RepeatConfirmed,
    RepeatWithoutCause,
    RepeatUnsafe,
    ChangeKey,
    ChangeBody,
    EndTwice,
    CountTwice,
    AnswerOtherJobs,
    Invent,
    SkipEffect,
}

const SINS: [Sin; 14] = [
    Sin::Forget,
    Sin::Stall,
    Sin::Stick,
    Sin::ComeLate,
    Sin::RepeatConfirmed,
    Sin::RepeatWithoutCause,
    Sin::RepeatUnsafe,
    Sin::ChangeKey,
    Sin::ChangeBody,
    Sin::EndTwice,
    Sin::CountTwice,
    Sin::AnswerOtherJobs,
    Sin::Invent,
    Sin::SkipEffect,
];

impl Sin {
    const fn words(self) -> &'static [Word] {
        match self {
            Self::Forget | Self::Stall | Self::SkipEffect => &[Word::Lost],
            Self::Stick => &[Word::Lost, Word::Stuck],
            Self::ComeLate => &[Word::Late],
            Self::Invent => &[Word::Stranger],
            Self::RepeatConfirmed
            | Self::RepeatWithoutCause
            | Self::RepeatUnsafe
            | Self::ChangeKey
            | Self::ChangeBody
            | Self::EndTwice
            | Self::CountTwice
            | Self::AnswerOtherJobs => &[Word::Doubled],
        }
    }
}

/// What happened to one job, told in order; each has ten seconds of its own.
struct Story {
    job: String,
    submission: String,
    begun_ms: u64,
    fate: Fate,
}

impl Story {
    fn new(number: usize, fate: Fate) -> Self {
        Self { job: format!("job-{number}"), submission: format!("submission-{number}"), begun_ms: 10_000 * number as u64, fate }
    }

    fn is_accepted(&self) -> bool {
        self.fate.answers_lost < 2
    }

    fn sent(&self, after_ms: u64) -> Sent {
        let at_ms = self.begun_ms + after_ms;
        let (key, job) = (self.job.clone(), self.job.clone());
        Sent { key, job, name: "post".to_owned(), policy: self.fate.policy, body: 7, at_ms, answered_at_ms: None }
    }

    fn tell(&self, oracle: &mut Oracle, sin: Option<Sin>) {
        let is = |this| sin == Some(this);
        if self.fate.answers_lost > 0 {
            oracle.unknown(&self.submission);
        }
        if self.is_accepted() {
            oracle.accepted(&self.submission, std::slice::from_ref(&self.job), self.begun_ms);
        }
        if is(Sin::AnswerOtherJobs) {
            oracle.accepted(&self.submission, &[], self.begun_ms);
        }
        if !is(Sin::SkipEffect) {
            self.make_effect(oracle, sin);
        }
        oracle.owes(&self.job, "post");
        let ended_at_ms = self.begun_ms + if is(Sin::ComeLate) { 9_000 } else { 5_000 };
        let found = Found {
            job: self.job.clone(),
            submission: Some(self.submission.clone()),
            ended_at_ms: (!is(Sin::Stall) && !is(Sin::Stick)).then_some(ended_at_ms),
            deadline_ms: Some(self.begun_ms + 6_000),
            moved_at_ms: if is(Sin::Stall) { LATER.now_ms } else { ended_at_ms },
            ends: if is(Sin::EndTwice) { 2 } else { 1 },
        };
        if !is(Sin::Forget) {
            oracle.found(found);
        }
    }

    fn make_effect(&self, oracle: &mut Oracle, sin: Option<Sin>) {
        let is = |this| sin == Some(this);
        oracle.sent(self.sent(1_000));
        if self.fate.died {
            oracle.fault("kill", self.begun_ms + 1_500, 1);
            if self.fate.policy == Policy::RepeatSameKey {
                oracle.sent(self.sent(2_000));
            }
        }
        if self.fate.policy != Policy::Hold || !self.fate.died {
            oracle.confirmed(&self.job, "post", self.begun_ms + 3_000);
        }
        if is(Sin::RepeatConfirmed) {
            oracle.sent(self.sent(3_500));
        }
        if is(Sin::RepeatWithoutCause) || is(Sin::RepeatUnsafe) {
            oracle.sent(self.sent(2_500));
        }
        if is(Sin::ChangeKey) {
            oracle.sent(Sent { key: format!("{}-again", self.job), ..self.sent(2_500) });
        }
        if is(Sin::ChangeBody) {
            oracle.fault("kill", self.begun_ms + 2_100, 1);
            oracle.sent(Sent { body: 8, ..self.sent(2_500) });
        }
    }
}

fn history(fates: &[Fate], sinner: Option<(usize, Sin)>) -> Oracle {
    let mut oracle = Oracle::new();
    for (number, fate) in fates.iter().enumerate() {
        let sin = sinner.filter(|(sinner, _)| *sinner == number).map(|(_, sin)| sin);
        Story::new(number, fate.clone()).tell(&mut oracle, sin);
    }
    let jobs = fates.len() as u64;
    oracle.settles("succeeded", jobs + u64::from(sinner.is_some_and(|(_, sin)| sin == Sin::CountTwice)), jobs);
    if sinner.is_some_and(|(_, sin)| sin == Sin::Invent) {
        oracle.found(Found { job: "invented".to_owned(), submission: None, ..found("j") });
    }
    oracle
}

fn fate() -> impl Strategy<Value = Fate> {
    let policies = prop_oneof![Just(Policy::RepeatSameKey), Just(Policy::Verify), Just(Policy::Hold)];
    (policies, any::<bool>(), 0..3_u8).prop_map(|(policy, died, answers_lost)| Fate { policy, died, answers_lost })
}

/// Makes fates in which this sin is one.
fn fit_for(sin: Sin, sinner: usize, fates: &mut [Fate]) {
    let fate = &mut fates[sinner];
    match sin {
        // Only whoever was promised something can be disappointed.
        Sin::Forget | Sin::Stall | Sin::Stick | Sin::AnswerOtherJobs => fate.answers_lost = fate.answers_lost.min(1),
        Sin::RepeatConfirmed | Sin::ChangeBody => fate.policy = Policy::RepeatSameKey,
        Sin::RepeatWithoutCause => {
            fate.policy = Policy::RepeatSameKey;
            // Of what was in flight and was not repeated, nobody can tell who was meant.
            fates.iter_mut().filter(|fate| fate.policy != Policy::RepeatSameKey).for_each(|fate| fate.died = false);
        }
        Sin::RepeatUnsafe if fate.policy == Policy::RepeatSameKey => fate.policy = Policy::Verify,
        Sin::ComeLate | Sin::RepeatUnsafe | Sin::ChangeKey | Sin::EndTwice | Sin::CountTwice | Sin::Invent | Sin::SkipEffect => {}
    }
}

proptest! {
    #[test]
    fn a_faithful_history_is_clean(fates in prop::collection::vec(fate(), 0..9)) {
        let verdict = history(&fates, None).verdict(LATER);
        prop_assert!(verdict.is_clean(), "{verdict}");
        let repeats = fates.iter().filter(|fate| fate.died && fate.policy == Policy::RepeatSameKey).count();
        prop_assert_eq!(verdict.of(Word::Repeated).len(), repeats);
    }

    #[test]
    fn a_sin_is_found_and_nothing_else(mut fates in prop::collection::vec(fate(), 1..9), sinner: Index, sin in prop::sample::select(SINS.to_vec())) {
        let sinner = sinner.index(fates.len());
        fit_for(sin, sinner, &mut fates);
        let verdict = history(&fates, Some((sinner, sin))).verdict(LATER);
        let bad: Vec<_> = Word::ALL.into_iter().filter(|word| word.is_bad() && !verdict.of(*word).is_empty()).collect();
        prop_assert_eq!(bad, sin.words(), "{}", verdict);
    }
}
