//! The broker is away for five minutes: every submission is taken all the same, no producer grows, and when it is back everything runs.

use std::sync::Arc;
use std::time::Duration;

use testkit::servers::Stop;
use tokio::time::{Instant, interval, sleep_until};

use super::coverage::Coverage;
use super::ending;
use super::fault::Role;
use super::options::Options;
use super::report::{Outcome, say};
use super::site::Site;

/// Load before the broker goes.
const WARM: Duration = Duration::from_secs(20);
/// What a producer may gain while the broker is away: its buffers have bounds, and what does not fit waits in the ledger.
const GROWTH_MAX: u64 = 24 * 1024 * 1024;
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
const MEASURED_EVERY: Duration = Duration::from_secs(1);

pub async fn run(site: &Arc<Site>, options: Options) -> Outcome {
    let began = Instant::now();
    let submitting = tokio::spawn(Arc::clone(&site.load).go_on(options.jobs_per_sec));
    sleep_until(began + WARM).await;
    let (before, memory) = (site.load.counts(), memory(site).await);
    site.rabbit.stop(Stop::AtOnce).await;
    let (gone, mut most, mut told) = (Instant::now(), memory.clone(), Duration::ZERO);
    let mut ticks = interval(MEASURED_EVERY);
    while gone.elapsed() < options.lasts {
        ticks.tick().await;
        let now = self::memory(site).await;
        most.iter_mut().zip(&now).for_each(|(most, now)| *most = (*most).max(*now));
        if gone.elapsed() >= told {
            told += Duration::from_secs(10);
            let counts = site.load.counts();
            say(&format!(
                "away for {} s: {} jobs accepted meanwhile, {} tries failed, {now:?} bytes",
                gone.elapsed().as_secs(),
                counts.jobs - before.jobs,
                counts.failed_tries - before.failed_tries
            ));
        }
    }
    let meanwhile = site.load.counts();
    let waiting = site.number("select count(*) from emission where published_at is null").await.unwrap_or(0);
    site.rabbit.restart().await;
    let back = Instant::now();
    let unanswered = site.load.stop(ANSWERED_WITHIN).await;
    submitting.abort();
    let resolved = ending::settle(site).await;
    crate::measured("broker away for 5 minutes", "everything that waited has ended, after its return", back.elapsed());
    let left_overs = ending::left_overs(site).await;
    let mut complaints = Vec::new();
    if meanwhile.failed_tries > before.failed_tries {
        complaints.push(format!("{} submissions were not answered 202", meanwhile.failed_tries - before.failed_tries));
    }
    if meanwhile.jobs == before.jobs || waiting == 0 {
        complaints.push(format!("nothing was tried: {} jobs, {waiting} rows of the ledger", meanwhile.jobs - before.jobs));
    }
    for (most, before) in most.iter().zip(&memory) {
        say(&format!("a producer had {before} bytes before, {most} at most"));
        if *most > *before + GROWTH_MAX {
            complaints.push(format!("a producer grew from {before} to {most} bytes"));
        }
    }
    say(&format!("{waiting} messages waited in the ledger for the broker"));
    let (verdict, took) = (ending::verdict(site).await, began.elapsed());
    let (coverage, schedule, diary, found_broken) = (Coverage::default(), Vec::new(), Vec::new(), Vec::new());
    Outcome { schedule, coverage, verdict, unanswered, resolved, left_overs, found_broken, diary, took, complaints }
}

/// The resident memory of each producer, in bytes.
async fn memory(site: &Site) -> Vec<u64> {
    let mut bytes = Vec::new();
    for post in site.posts().iter().filter(|post| post.role == Role::Producer) {
        let pid = post.seize().await.as_ref().map(crate::process::Process::pid).unwrap_or_default();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: u64 = line.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or(0);
        bytes.push(kib * 1_024);
    }
    bytes
}
