//! By which rules is judged? Each word has its own; `oracle.rs` has them in words.

use std::collections::{BTreeMap, BTreeSet};

use super::{Bounds, Found, Oracle, Outcome, Policy, Sent, Verdict, Word};

impl Oracle {
    /// Judges everything that it was told.
    pub fn verdict(&self, bounds: Bounds) -> Verdict {
        let mut verdict = Verdict {
            jobs: self.accepted.len(),
            effects: self.sent.len(),
            requests: self.sent.values().map(Vec::len).sum(),
            faults: self.faults.len(),
            in_flight: self.faults.iter().map(|fault| fault.in_flight).sum(),
            ..Verdict::default()
        };
        self.jobs(bounds, &mut verdict);
        self.strangers(&mut verdict);
        self.ends(&mut verdict);
        self.keys(&mut verdict);
        self.effects(&mut verdict);
        verdict
    }

    /// Lost, stuck and late.
    fn jobs(&self, bounds: Bounds, verdict: &mut Verdict) {
        for (job, at_ms) in &self.accepted {
            match self.found.get(job) {
                None => {
                    let ago_ms = bounds.now_ms.saturating_sub(*at_ms);
                    verdict.say(Word::Lost, job, format!("was accepted {ago_ms} ms ago, and the store does not know it"));
                }
                Some(found) if found.ended_at_ms.is_none() => {
                    let still_ms = bounds.now_ms.saturating_sub(found.moved_at_ms);
                    verdict.say(Word::Lost, job, format!("has not ended; it last moved {still_ms} ms ago"));
                    if still_ms >= bounds.stuck_after_ms {
                        verdict.say(Word::Stuck, job, format!("has not moved for {still_ms} ms"));
                    }
                }
                Some(_) => {}
            }
        }
        for (job, found) in &self.found {
            if let (Some(ended), Some(deadline)) = (found.ended_at_ms, found.deadline_ms)
                && ended > deadline + bounds.late_by_ms
            {
                verdict.say(Word::Late, job, format!("ended {} ms after its deadline", ended - deadline));
            }
        }
        for (job, name) in self.owed.iter().filter(|effect| !self.sent.contains_key(*effect)) {
            verdict.say(Word::Lost, job, format!("has ended well, and its effect `{name}` was never made"));
        }
    }

    fn strangers(&self, verdict: &mut Verdict) {
        for found in self.found.values().filter(|found| !self.accepted.contains_key(&found.job)) {
            if let Some(why) = self.why_strange(found) {
                verdict.say(Word::Stranger, &found.job, why);
            }
        }
        let is_known = |job: &String| self.accepted.contains_key(job) || self.found.contains_key(job);
        for (job, name) in self.sent.keys().filter(|(job, _)| !is_known(job)) {
            verdict.say(Word::Stranger, job, format!("made the effect `{name}`, and nobody knows it"));
        }
    }

    /// `None` when its submitter does not know whether it was accepted.
    fn why_strange(&self, found: &Found) -> Option<String> {
        let Some(submission) = &found.submission else { return Some("is in the store, and nobody submitted it".to_owned()) };
        match self.submissions.get(submission) {
            Some(Outcome::Unknown) => None,
            Some(Outcome::Accepted(_)) => Some(format!("`{submission}` was answered with other jobs")),
            Some(Outcome::Refused) => Some(format!("`{submission}` was refused")),
            None => Some(format!("nobody sent `{submission}`")),
        }
    }

    /// What was accepted or ended twice.
    fn ends(&self, verdict: &mut Verdict) {
        for submission in &self.disputed {
            verdict.say(Word::Doubled, submission, "the submission was answered again, with other jobs");
        }
        for found in self.found.values().filter(|found| found.ends > 1) {
            verdict.say(Word::Doubled, &found.job, format!("ended {} times", found.ends));
        }
        for (what, counted, jobs) in &self.settles {
            if counted > jobs {
                verdict.say(Word::Doubled, what, format!("{counted} ends were counted of {jobs} jobs"));
            }
        }
    }

    /// One effect, one key and one body; one key, one job.
    fn keys(&self, verdict: &mut Verdict) {
        let mut jobs_of = BTreeMap::<&str, BTreeSet<&str>>::new();
        for ((job, name), all) in &self.sent {
            let bases: BTreeSet<_> = all.iter().map(|sent| base(&sent.key)).collect();
            if bases.len() > 1 {
                verdict.say(Word::Doubled, job, format!("`{name}` came under {} keys", bases.len()));
            }
            for sends in by_key(all).values() {
                if sends.iter().any(|sent| sent.body != sends[0].body) {
                    verdict.say(Word::Doubled, job, format!("`{name}` came with two bodies under one key"));
                }
                jobs_of.entry(&sends[0].key).or_default().insert(job);
            }
        }
        for (key, jobs) in jobs_of.into_iter().filter(|(_, jobs)| jobs.len() > 1) {
            verdict.say(Word::Doubled, key, format!("is the key of {} jobs", jobs.len()));
        }
    }

    /// What was made more than once.
    fn effects(&self, verdict: &mut Verdict) {
        let mut repeats = Vec::new();
        for (effect, all) in &self.sent {
            for sends in by_key(all).values() {
                self.again(effect, sends, verdict, &mut repeats);
            }
        }
        repeats.sort_by_key(|(at_ms, _)| *at_ms);
        let mut permitted = 0;
        for (at_ms, job) in repeats {
            let faults = self.faults.iter().filter(|fault| fault.at_ms <= at_ms);
            let in_flight: usize = faults.clone().map(|fault| fault.in_flight).sum();
            let last = faults.max_by_key(|fault| fault.at_ms).map_or("none", |fault| &fault.name);
            if permitted < in_flight {
                permitted += 1;
                verdict.say(Word::Repeated, job, format!("was made again under its key, its outcome being unknown; last fault: {last}"));
            } else {
                let why = format!("was made again, and only {in_flight} jobs were in flight at the faults before; the last: {last}");
                verdict.say(Word::Doubled, job, why);
            }
        }
    }

    /// Sends of one effect under one key, in order: all but the first are too many, or repeats.
    fn again<'a>(&self, effect: &'a (String, String), sends: &[&Sent], verdict: &mut Verdict, repeats: &mut Vec<(u64, &'a str)>) {
        let (job, name) = effect;
        for pair in sends.windows(2) {
            let (before, sent) = (pair[0], pair[1]);
            let answered = if before.answered_at_ms.is_some() { "answered" } else { "not answered" };
            match (sent.policy, self.confirmed.get(effect)) {
                (Policy::Hold | Policy::Verify, _) => {
                    let policy = if sent.policy == Policy::Hold { "hold" } else { "verify" };
                    verdict.say(Word::Doubled, job, format!("`{name}` is `{policy}`, and was made again; the first was {answered}"));
                }
                (Policy::RepeatSameKey, Some(stored)) if sent.at_ms > *stored => {
                    let after_ms = sent.at_ms - stored;
                    verdict.say(Word::Doubled, job, format!("`{name}` was made again {after_ms} ms after its confirmation was stored"));
                }
                (Policy::RepeatSameKey, _) => repeats.push((sent.at_ms, job)),
            }
        }
    }
}

/// The requests of each key, in order of time.
fn by_key(all: &[Sent]) -> BTreeMap<&str, Vec<&Sent>> {
    let mut keys = BTreeMap::<&str, Vec<&Sent>>::new();
    for sent in all {
        keys.entry(&sent.key).or_default().push(sent);
    }
    keys.values_mut().for_each(|sends| sends.sort_by_key(|sent| sent.at_ms));
    keys
}

/// A key without its edition: a job that is replayed with another payload makes its effects anew, under `<key>.r<n>`; those who may
/// not have a dot in it write `_r<n>`.
fn base(key: &str) -> &str {
    let edited = key.rsplit_once(".r").or_else(|| key.rsplit_once("_r"));
    match edited {
        Some((base, edition)) if !edition.is_empty() && edition.bytes().all(|byte| byte.is_ascii_digit()) => base,
        Some(_) | None => key,
    }
}
