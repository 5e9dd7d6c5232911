//! Was everything tried, and did it hurt? A fault that nobody felt proves nothing.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Value, json};

use super::fault::Fault;
use super::schedule::Planned;

/// What became of one planned fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It was thrown and felt; the evidence.
    Bit(String),
    /// It was thrown, and there is no evidence that anybody felt it.
    Missed,
    /// It could not be thrown or healed; what was said.
    Failed(String),
}

/// What has become of the faults so far.
#[derive(Debug, Default)]
pub struct Coverage {
    rows: BTreeMap<Fault, Row>,
}

#[derive(Debug, Default)]
struct Row {
    fired: usize,
    evidence: Vec<String>,
    failures: Vec<String>,
}

impl Coverage {
    pub fn add(&mut self, planned: Planned, fate: Fate) {
        let row = self.rows.entry(planned.fault).or_default();
        match fate {
            Fate::Bit(evidence) => row.evidence.push(format!("{}: {evidence}", planned.target)),
            Fate::Missed => {}
            Fate::Failed(why) => {
                row.failures.push(format!("{}: {why}", planned.target));
                return;
            }
        }
        row.fired += 1;
    }

    pub fn bit(&self) -> usize {
        self.rows.values().map(|row| row.evidence.len()).sum()
    }

    /// Faults that were not felt `wanted` times; of those alone that were planned, when not all were.
    pub fn lacking(&self, planned: &[Planned], wanted: usize) -> Vec<Fault> {
        let is_planned = |fault: &Fault| planned.iter().any(|planned| planned.fault == *fault);
        let bit = |fault: &Fault| self.rows.get(fault).map_or(0, |row| row.evidence.len());
        Fault::all().filter(|fault| is_planned(fault) && bit(fault) < wanted).collect()
    }

    /// What could not be thrown or healed.
    pub fn failures(&self) -> impl Iterator<Item = &String> {
        self.rows.values().flat_map(|row| &row.failures)
    }

    pub fn json(&self) -> Value {
        let row = |(fault, row): (&Fault, &Row)| json!({ "fault": fault.name(), "fired": row.fired, "bit": row.evidence.len(), "evidence": row.evidence, "failures": row.failures });
        self.rows.iter().map(row).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| fault | fired | bit | evidence |\n|---|---|---|---|")?;
        for (fault, row) in &self.rows {
            let shown = row.evidence.first().or(row.failures.first()).map_or("", String::as_str);
            let shown: String = shown.lines().next().unwrap_or_default().chars().take(140).collect();
            writeln!(f, "| {} | {} | {} | {shown} |", fault.name(), row.fired, row.evidence.len())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::soak::fault::{Server, Target};

    fn planned(fault: Fault) -> Planned {
        Planned { number: 0, at: Duration::ZERO, fault, target: Target::Server(Server::Redis), held: Duration::ZERO, dice: 0 }
    }

    #[test]
    fn only_what_was_felt_counts() {
        let (stopped, flushed) = (planned(Fault::RedisStopped), planned(Fault::RedisFlushed));
        let mut coverage = Coverage::default();
        for _ in 0..3 {
            coverage.add(stopped, Fate::Bit("it was missed".to_owned()));
        }
        coverage.add(flushed, Fate::Bit("3 keys".to_owned()));
        coverage.add(flushed, Fate::Missed);
        coverage.add(flushed, Fate::Missed);
        assert_eq!((coverage.bit(), coverage.json()[0]["fired"].as_u64()), (4, Some(3)));
        assert_eq!(coverage.lacking(&[stopped, flushed], 3), [Fault::RedisFlushed]);
        assert_eq!(coverage.lacking(&[stopped, flushed], 1), []);
    }

    #[test]
    fn what_was_planned_and_never_thrown_is_lacking() {
        let mut coverage = Coverage::default();
        coverage.add(planned(Fault::BrokerWiped), Fate::Failed("no broker".to_owned()));
        assert_eq!((coverage.bit(), coverage.json()[0]["fired"].as_u64()), (0, Some(0)), "what could not be thrown was not");
        assert_eq!(coverage.lacking(&[planned(Fault::BrokerWiped), planned(Fault::LinkCut)], 1), [Fault::BrokerWiped, Fault::LinkCut]);
        assert_eq!(coverage.lacking(&[], 1), [], "a short run has few faults");
        assert_eq!(coverage.failures().count(), 1);
    }
}
