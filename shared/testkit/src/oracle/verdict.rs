//! What does the oracle say? Findings, sorted by their word, and a table that a person can read.

use std::fmt;

/// How many ids of a word are shown.
const SHOWN: usize = 10;

/// What may be said about a job or an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    Lost,
    Doubled,
    Repeated,
    Stuck,
    Late,
    Stranger,
}

/// Of whom a word is said, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub id: String,
    pub why: String,
}

/// What came of everything that was promised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Jobs that were accepted.
    pub jobs: usize,
    /// Different effects that were made, and the requests that made them.
    pub effects: usize,
    pub requests: usize,
    /// Injected faults, and jobs in flight at them.
    pub faults: usize,
    pub in_flight: usize,
    pub(super) findings: [Vec<Finding>; Word::ALL.len()],
}

impl Word {
    pub const ALL: [Self; 6] = [Self::Lost, Self::Doubled, Self::Repeated, Self::Stuck, Self::Late, Self::Stranger];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Doubled => "doubled",
            Self::Repeated => "repeated",
            Self::Stuck => "stuck",
            Self::Late => "late",
            Self::Stranger => "stranger",
        }
    }

    /// Whether a promise was broken. To repeat what nobody knows, under its key, was promised.
    pub const fn is_bad(self) -> bool {
        match self {
            Self::Repeated => false,
            Self::Lost | Self::Doubled | Self::Stuck | Self::Late | Self::Stranger => true,
        }
    }
}

impl Verdict {
    /// Everything of which this word is said.
    pub fn of(&self, word: Word) -> &[Finding] {
        &self.findings[word as usize]
    }

    /// No promise was broken.
    pub fn is_clean(&self) -> bool {
        Word::ALL.into_iter().all(|word| !word.is_bad() || self.of(word).is_empty())
    }

    pub(super) fn say(&mut self, word: Word, id: &str, why: impl Into<String>) {
        self.findings[word as usize].push(Finding { id: id.to_owned(), why: why.into() });
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = if self.is_clean() { "clean" } else { "NOT CLEAN" };
        let Self { jobs, effects, requests, faults, in_flight, .. } = self;
        writeln!(out, "{sum}: {jobs} jobs, {effects} effects in {requests} requests, {faults} faults with {in_flight} jobs in flight")?;
        for word in Word::ALL {
            let findings = self.of(word);
            writeln!(out, "{:<9}{:>6}", word.name(), findings.len())?;
            for Finding { id, why } in findings.iter().take(SHOWN) {
                writeln!(out, "  {id}  {why}")?;
            }
            if findings.len() > SHOWN {
                writeln!(out, "  and {} more", findings.len() - SHOWN)?;
            }
        }
        Ok(())
    }
}
