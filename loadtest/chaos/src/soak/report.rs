//! How is it told? A table and a verdict on standard output, everything as JSON in a file, and the logs kept when something is wrong.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::oracle::{Finding, Verdict, Word};

use super::coverage::Coverage;
use super::ending::{LeftOvers, biography, named};
use super::options::{Options, Scenario};
use super::schedule::Planned;
use super::site::Site;

/// What a run came to.
pub struct Outcome {
    pub schedule: Vec<Planned>,
    pub coverage: Coverage,
    pub verdict: Verdict,
    /// Requests that nobody answered, although everything works again.
    pub unanswered: usize,
    /// Effects of unknown outcome that a person resolved.
    pub resolved: usize,
    pub left_overs: LeftOvers,
    pub found_broken: Vec<String>,
    pub diary: Vec<String>,
    pub took: Duration,
    /// What a scenario found wrong by itself.
    pub complaints: Vec<String>,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing is wrong, and everything was tried.
    Clean,
    /// Something was lost, doubled, stuck, late or strange.
    Broken,
    /// What was tried, could not be.
    Untried,
    /// Nothing is wrong, but not everything was felt.
    Uncovered,
    /// Somebody ended it before it was over.
    Interrupted,
}

/// What of a fleet must be nothing at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Wrongs {
    findings: usize,
    unanswered: usize,
    left_overs: usize,
    surprises: usize,
    complaints: usize,
}

impl Ending {
    fn of(wrongs: Wrongs, lacking: usize) -> Self {
        if wrongs != Wrongs::default() {
            Self::Broken
        } else if lacking > 0 {
            Self::Uncovered
        } else {
            Self::Clean
        }
    }

    pub fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    fn number(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Broken => 1,
            Self::Untried => 2,
            Self::Uncovered => 3,
            Self::Interrupted => 130,
        }
    }
}

/// A line on standard output, in one piece.
pub fn say(line: &str) {
    // Nobody may be listening any more.
    let _written = std::io::stdout().write_all(format!("soak: {line}\n").as_bytes());
}

/// Tells what came of it.
pub async fn finish(site: &Site, options: Options, outcome: Outcome, results: &Path) -> Ending {
    let surprises = site.load.surprises();
    let lacking = outcome.coverage.lacking(&outcome.schedule, options.bites);
    let wrongs = Wrongs {
        findings: bad(&outcome.verdict).count(),
        unanswered: outcome.unanswered,
        left_overs: outcome.left_overs.len(),
        surprises: surprises.len(),
        complaints: outcome.complaints.len(),
    };
    let ending = Ending::of(wrongs, lacking.len());
    say(&format!("coverage of seed {}\n{}", options.seed, outcome.coverage));
    outcome.coverage.failures().for_each(|failure| say(&format!("could not be thrown or healed: {failure}")));
    site.posts().iter().flat_map(|post| post.ends()).for_each(|end| say(&end));
    say(&format!("verdict of seed {}\n{}", options.seed, outcome.verdict));
    let counts = site.load.counts();
    let figures = figures(site, &outcome).await;
    say(&format!("{counts:?}, states {}, {} held effects resolved, {} s", figures["states"], outcome.resolved, outcome.took.as_secs()));
    for wrong in outcome.complaints.iter().cloned().chain(outcome.left_overs.iter().map(|(what, rows)| format!("{rows} {what} are left"))) {
        say(&wrong);
    }
    surprises.iter().for_each(|(what, times)| say(&format!("{times} times: {what}")));
    lacking.iter().for_each(|fault| say(&format!("not felt {} times: {}", options.bites, fault.name())));
    let name = match options.scenario {
        Scenario::Drawn => options.seed.to_string(),
        Scenario::BrokerAway => "broker-away".to_owned(),
    };
    let body = json!({ "seed": options.seed, "secs": options.lasts.as_secs(), "jobs_per_sec": options.jobs_per_sec, "ending": format!("{ending:?}"), "figures": figures, "surprises": surprises, "lacking": lacking.iter().map(|fault| fault.name()).collect::<Vec<_>>() });
    keep(site, &outcome, ending, &name, body, results).await;
    say(&format!("seed {}: {ending:?}, {} of {} faults bit", options.seed, outcome.coverage.bit(), outcome.schedule.len()));
    ending
}

/// What must not be said; what is repeated under its key, within bounds, may be.
fn bad(verdict: &Verdict) -> impl Iterator<Item = &Finding> {
    Word::ALL.into_iter().filter(|word| word.is_bad()).flat_map(|word| verdict.of(word))
}

async fn figures(site: &Site, outcome: &Outcome) -> Value {
    let counts = site.load.counts();
    let word =
        |word: Word| -> Value { outcome.verdict.of(word).iter().map(|finding| json!({ "id": finding.id, "why": finding.why })).collect() };
    json!({
        "requests": counts.sent, "answered": counts.answered, "jobs": counts.jobs, "failed_tries": counts.failed_tries,
        "skipped": counts.skipped, "cancels": counts.cancelled, "effects": outcome.verdict.effects, "effect_requests": outcome.verdict.requests, "in_flight_at_faults": outcome.verdict.in_flight, "took_secs": outcome.took.as_secs(),
        "states": named(&site.states().await.unwrap_or_default()),
        "lost": word(Word::Lost), "doubled": word(Word::Doubled), "stuck": word(Word::Stuck), "late": word(Word::Late),
        "strangers": word(Word::Stranger), "repeated": outcome.verdict.of(Word::Repeated).len(), "resolved": outcome.resolved,
        "unanswered": outcome.unanswered, "left_overs": outcome.left_overs, "complaints": outcome.complaints,
        "found_broken": outcome.found_broken, "coverage": outcome.coverage.json(),
        "ended_by_themselves": site.posts().iter().flat_map(|post| post.ends()).collect::<Vec<_>>(),
    })
}

/// The result always; logs, the judge's ledger and what the store knows of the jobs in question when something is wrong.
async fn keep(site: &Site, outcome: &Outcome, ending: Ending, name: &str, body: Value, results: &Path) {
    let text = serde_json::to_string_pretty(&body).expect("JSON");
    let file = results.join(format!("{name}.json"));
    std::fs::create_dir_all(results).and_then(|()| std::fs::write(&file, text)).expect("results can be written");
    say(&format!("all figures are in {}", file.display()));
    if ending == Ending::Clean {
        return;
    }
    let folder = results.join(format!("{name}-logs"));
    let copy = |from: std::fs::DirEntry| std::fs::copy(from.path(), folder.join(from.file_name())).map(drop);
    let _emptied = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let files = std::fs::read_dir(site.fleet.path()).expect("the fleet's folder can be read").flatten();
    // What cannot be copied is missed by a person, not by us.
    let _copied: Vec<_> = files.filter(|file| file.path().is_file()).map(copy).collect();
    std::fs::write(folder.join("diary"), outcome.diary.join("\n")).expect("the diary can be written");
    let ids: Vec<String> = bad(&outcome.verdict).map(|finding| finding.id.clone()).collect();
    std::fs::write(folder.join("jobs"), biography(site, &ids).await).expect("what the store knows can be written");
    say(&format!("logs of every process are in {}", folder.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_goes_before_what_is_not_covered() {
        let well = Wrongs::default();
        assert_eq!(Ending::of(well, 0), Ending::Clean);
        assert_eq!(Ending::of(well, 2), Ending::Uncovered);
        for wrongs in [
            Wrongs { findings: 1, ..well },
            Wrongs { unanswered: 1, ..well },
            Wrongs { left_overs: 1, ..well },
            Wrongs { surprises: 1, ..well },
            Wrongs { complaints: 1, ..well },
        ] {
            assert_eq!((Ending::of(wrongs, 0), Ending::of(wrongs, 3)), (Ending::Broken, Ending::Broken), "{wrongs:?}");
        }
    }

    #[test]
    fn every_ending_has_a_code_of_its_own() {
        let endings = [Ending::Clean, Ending::Broken, Ending::Untried, Ending::Uncovered, Ending::Interrupted];
        assert_eq!(endings.map(Ending::number), [0, 1, 2, 3, 130]);
    }
}
