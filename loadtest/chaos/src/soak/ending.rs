//! What came of it? Everything is given the time to end, and then the oracle compares what was promised, done and recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use testkit::oracle::{Bounds, Found, Oracle, Verdict};
use tokio::time::Instant;

use super::load::now_ms;
use super::mix;
use super::site::{Looks, Site};

/// Leases, the rescuer's own patience after an outage, and the longest waits before a retry: by then something must have ended.
const MOVES_WITHIN: Duration = Duration::from_secs(150);
/// However much was queued when the load ended.
const ENDS_WITHIN: Duration = Duration::from_secs(900);
/// Rows that need no job any more go a little later.
const TIDY_WITHIN: Duration = Duration::from_secs(90);
/// Who has not moved for so long does not move any more.
const STUCK_AFTER: Duration = Duration::from_secs(60);
/// The store's times are a process's estimate of the database's clock, and made when its transaction begins: a confirmation may bear an
/// earlier time than the request that it confirms. A real second request comes after a retry or a rescue, which takes longer.
const CLOCKS_AGREE_MS: u64 = 250;
/// What may be left when every job has ended, and what says so.
const LEFT_OVERS: [(&str, &str); 3] = [
    ("rows of the emission ledger", "select count(*) from emission"),
    ("parked jobs", "select count(*) from parked"),
    ("jobs that run on nobody", "select count(*) from job where state = 2"),
];

/// What is left of jobs that have all ended.
pub type LeftOvers = BTreeMap<&'static str, u64>;

/// Waits until every job has ended, or none does any more; a person cancels what is held for him. Returns how many were resolved in
/// this way.
pub async fn settle(site: &Site) -> usize {
    let (mut resolved, mut fewest, mut moved) = (0, u64::MAX, Instant::now());
    let mut looks = Looks::within(ENDS_WITHIN);
    while looks.again().await && moved.elapsed() < MOVES_WITHIN {
        resolved += resolve(site).await;
        let Some(open) = site.number("select count(*) from job where state < 3").await else { continue };
        if open == 0 {
            break;
        }
        if open < fewest {
            (fewest, moved) = (open, Instant::now());
        }
    }
    resolved
}

/// An effect of unknown outcome is held for a person: he finds that he does not want the job any more.
async fn resolve(site: &Site) -> usize {
    let held = site.database.try_ask("select id from job where state = 0 and waiting_for = 10 limit 100").await.unwrap_or_default();
    for id in held.iter().filter_map(|row| row.first()) {
        site.load.cancel(id).await;
    }
    held.len()
}

/// What should have gone with the jobs and has not.
pub async fn left_overs(site: &Site) -> LeftOvers {
    let mut left = LeftOvers::new();
    for (what, question) in LEFT_OVERS {
        let (mut looks, mut rows) = (Looks::within(TIDY_WITHIN), u64::MAX);
        while rows > 0 && looks.again().await {
            rows = site.number(question).await.unwrap_or(u64::MAX);
        }
        if rows > 0 {
            left.insert(what, rows);
        }
    }
    left
}

/// Tells the oracle what the judge and the store know, and asks it.
///
/// # Panics
/// When the database is away, or the judge's ledger is no ledger.
pub async fn verdict(site: &Site) -> Verdict {
    let (jobs, effects) = (found(site).await, confirmed(site).await);
    let (succeeded, dead) = (settles(site, "succeeded", 3).await, settles(site, "dead", 4).await);
    let mut oracle = site.load.oracle.lock();
    for line in site.ledger() {
        oracle.judge_line(&line).unwrap_or_else(|why| panic!("the judge's ledger has `{line}`: {why}"));
    }
    for (job, name, at_ms) in effects {
        confirm(&mut oracle, &job, &name, at_ms);
    }
    for Told { found, owed } in jobs {
        owed.into_iter().for_each(|name| oracle.owes(&found.job, name));
        oracle.found(found);
    }
    oracle.settles("succeeded", succeeded.0, succeeded.1);
    oracle.settles("dead", dead.0, dead.1);
    let millis = |time: Duration| u64::try_from(time.as_millis()).expect("it fits");
    let bounds = Bounds { now_ms: now_ms(), stuck_after_ms: millis(STUCK_AFTER), late_by_ms: millis(Duration::from_secs(30)) };
    oracle.verdict(bounds)
}

fn confirm(oracle: &mut Oracle, job: &str, name: &str, at_ms: u64) {
    oracle.confirmed(job, name, at_ms + CLOCKS_AGREE_MS);
}

/// A job of the store, and the effect without which it cannot have ended as it did.
struct Told {
    found: Found,
    owed: Option<&'static str>,
}

/// Every job of the store.
async fn found(site: &Site) -> Vec<Told> {
    const JOBS: &str = "select j.id, j.tags, j.state, coalesce(j.finished_at, greatest(j.created_at, j.started_at, j.run_at)) / 1000,
        (select count(*) from job_event e where e.job_id = j.id and e.to_state >= 3), j.kind from job j";
    site.database.ask(JOBS).await.iter().map(|row| told(row).unwrap_or_else(|| panic!("the store has a job {row:?}"))).collect()
}

fn told(row: &[String]) -> Option<Told> {
    let [job, tags, state, moved_at_ms, ends, kind] = row else { return None };
    let tags: Vec<String> = serde_json::from_str(tags).ok()?;
    let (state, moved_at_ms, ends): (u8, u64, u32) = (state.parse().ok()?, moved_at_ms.parse().ok()?, ends.parse().ok()?);
    let has_succeeded = state == 3;
    let found = Found {
        job: job.clone(),
        submission: tags.iter().find_map(|tag| tag.strip_prefix("from:")).map(str::to_owned),
        ended_at_ms: (state >= 3).then_some(moved_at_ms),
        deadline_ms: None,
        moved_at_ms,
        // A success is in the job's own row only.
        ends: ends + u32::from(has_succeeded),
    };
    Some(Told { found, owed: mix::effect_of(kind).filter(|_| has_succeeded) })
}

async fn confirmed(site: &Site) -> Vec<(String, String, u64)> {
    let rows = site.database.ask("select job_id, name, at / 1000 from effect where state = 1").await;
    let effect = |row: Vec<String>| Some((row.first()?.clone(), row.get(1)?.clone(), row.get(2)?.parse().ok()?));
    rows.into_iter().map(|row| effect(row).expect("an effect has three columns")).collect()
}

/// How many ends of a sort were counted in the transactions that record them, and how many jobs have ended so.
async fn settles(site: &Site, column: &str, state: u64) -> (u64, u64) {
    let counted = site.database.count(&format!("select coalesce(sum({column}), 0) from job_rate")).await;
    (counted, site.database.count(&format!("select count(*) from job where state = {state}")).await)
}

/// Everything that the database knows of these jobs, for whoever finds out what happened.
pub async fn biography(site: &Site, ids: &[String]) -> String {
    let ids: Vec<String> = ids.iter().take(50).map(|id| format!("'{id}'")).collect();
    if ids.is_empty() {
        return String::new();
    }
    let list = ids.join(", ");
    let mut text = String::new();
    for (table, key) in [("job", "id"), ("job_event", "job_id"), ("effect", "job_id"), ("timer", "job_id"), ("parked", "job_id")] {
        let question = format!("select to_jsonb(x) from {table} x where {key} in ({list})");
        let rows = site.database.try_ask(&question).await.unwrap_or_else(|why| vec![vec![why]]);
        text += &format!("--- {table}\n");
        rows.iter().for_each(|row| text += &(row.join(" ") + "\n"));
    }
    let listed = format!("select to_jsonb(x) from emission x where job_ids && array[{list}]::uuid[]");
    let rows = site.database.try_ask(&listed).await.unwrap_or_else(|why| vec![vec![why]]);
    text + "--- emission\n" + &rows.iter().map(|row| row.join(" ") + "\n").collect::<String>()
}

/// The states' names, as `shared/domain` numbers them.
pub fn named(states: &[(u64, u64)]) -> Value {
    const NAMES: [&str; 7] = ["waiting", "queued", "running", "succeeded", "dead", "cancelled", "expired"];
    let name = |state: u64| usize::try_from(state).ok().and_then(|state| NAMES.get(state)).copied().unwrap_or("unknown");
    states.iter().map(|(state, jobs)| (name(*state).to_owned(), Value::from(*jobs))).collect::<serde_json::Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use testkit::oracle::{Policy, Sent, Word};

    use super::*;

    /// A job whose effect was made at 1 000 and again at `again_ms`, after a fault; the store says that it was confirmed at 5 000.
    fn judged(again_ms: u64) -> Verdict {
        let mut oracle = Oracle::new();
        oracle.accepted("s", &["j".to_owned()], 0);
        oracle.fault("worker killed", 2_000, 1);
        for at_ms in [1_000, again_ms] {
            let (key, job, name) = ("j".to_owned(), "j".to_owned(), "deliver".to_owned());
            oracle.sent(Sent { key, job, name, policy: Policy::RepeatSameKey, body: 7, at_ms, answered_at_ms: None });
        }
        confirm(&mut oracle, "j", "deliver", 5_000);
        let submission = Some("s".to_owned());
        oracle.found(Found { job: "j".to_owned(), submission, ended_at_ms: Some(6_000), deadline_ms: None, moved_at_ms: 6_000, ends: 1 });
        oracle.verdict(Bounds { now_ms: 9_000, stuck_after_ms: 1_000, late_by_ms: 1_000 })
    }

    /// Seed 1 had one: run 2 was confirmed 12 ms before the judge had written it down.
    #[test]
    fn a_confirmation_may_bear_an_earlier_time_than_what_it_confirms() {
        let verdict = judged(5_012);
        assert!(verdict.is_clean(), "{verdict}");
        assert_eq!(verdict.of(Word::Repeated).len(), 1);
    }

    #[test]
    fn what_is_made_again_later_is_doubled_all_the_same() {
        assert_eq!(judged(5_300).of(Word::Doubled).len(), 1);
    }

    #[test]
    fn a_row_of_the_store_is_understood() {
        let row = |state: &str, ends: &str| ["j", "[\"from:s1-7\", \"x\"]", state, "5000", ends, "chaos.hold"].map(str::to_owned);
        let Told { found, owed } = told(&row("3", "0")).expect("a job");
        assert_eq!((found.submission.as_deref(), found.ended_at_ms, found.ends, owed), (Some("s1-7"), Some(5_000), 1, Some("post")));
        let Told { found, owed } = told(&row("0", "0")).expect("a job");
        assert_eq!((found.ended_at_ms, found.ends, owed), (None, 0, None));
        // It died, was replayed, and succeeded: two ends were recorded.
        assert_eq!(told(&row("3", "1")).expect("a job").found.ends, 2);
        assert!(told(&row("x", "0")).is_none());
    }
}
