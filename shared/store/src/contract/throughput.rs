//! How much got done, minute by minute?

use std::time::Duration;

use domain::bounds::STATS_KEPT;
use domain::{ClaimedJob, NewJob, Priority, Timestamp, WaitingFor};

use super::Fixture;
use super::bench::Bench;
use super::sample::{HOUR, LEASE_OVER, PLENTY, SECOND, a_death, a_failure, a_success, kind, no_worker, other_kind, other_queue, queue};
use crate::{End, Retention, Throughput, Until};

const MINUTE: Duration = Duration::from_secs(60);
/// How much longer than the test lets pass may pass on a busy machine.
const BUSY: Duration = Duration::from_secs(20);

async fn read(b: &Bench, since: Timestamp) -> Vec<Throughput> {
    b.store.throughput(since).await.expect("reads")
}

/// All minutes of each line together: succeeded, retried, dead.
async fn sums(b: &Bench) -> Vec<(String, Priority, u64, u64, u64)> {
    let mut sums: Vec<(String, Priority, u64, u64, u64)> = Vec::new();
    for row in read(b, Timestamp::default()).await {
        let name = format!("{}/{}", row.queue, row.kind);
        match sums.iter_mut().find(|sum| sum.0 == name && sum.1 == row.priority) {
            Some(sum) => (sum.2, sum.3, sum.4) = (sum.2 + row.succeeded, sum.3 + row.retried, sum.4 + row.dead),
            None => sums.push((name, row.priority, row.succeeded, row.retried, row.dead)),
        }
    }
    sums.sort();
    sums
}

async fn end(b: &Bench, job: NewJob, end: End) {
    let class = domain::Class { queue: job.queue.clone(), priority: job.priority };
    let id = b.put(job).await;
    let worker = b.worker_for(&[kind(), other_kind()]).await;
    let claimed: Vec<ClaimedJob> = b.store.claim(&b.claim_in(&class, worker, &[id])).await.expect("claims").jobs;
    b.end(worker, &claimed[0], end).await;
}

/// Attempts are counted by kind and class, as what they ended in.
pub async fn attempts_are_counted_by_how_they_end(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    assert_eq!(read(&b, Timestamp::default()).await, []);
    let at = b.now() + HOUR;
    for _ in 0..3 {
        end(&b, b.job(), a_success()).await;
    }
    for _ in 0..2 {
        end(&b, b.job(), End::Retry { at, failure: a_failure() }).await;
    }
    end(&b, b.job(), a_death()).await;
    end(&b, NewJob { priority: Priority::High, ..b.job() }, a_success()).await;
    end(&b, NewJob { queue: other_queue(), kind: other_kind(), ..b.job() }, a_death()).await;
    let (mail, reports) = (format!("{}/{}", queue(), kind()), format!("{}/{}", other_queue(), other_kind()));
    let expected = [(mail.clone(), Priority::Normal, 3, 2, 1), (mail, Priority::High, 1, 0, 0), (reports, Priority::Normal, 0, 0, 1)];
    assert_eq!(sums(&b).await, expected);
}

/// What was put off, cancelled or has expired was no attempt that failed; a lost worker's was.
pub async fn what_was_put_off_is_not_counted(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let until = Until::Time { at: b.now() + HOUR, reason: WaitingFor::RateLimit };
    end(&b, b.job(), End::Deferred { until, failure: Some(a_failure()) }).await;
    end(&b, b.job(), End::Deferred { until: no_worker(), failure: None }).await;
    end(&b, b.job(), End::Cancelled).await;
    let id = b.queued().await;
    b.cancel(id).await.expect("cancels");
    b.put(NewJob { start_before: Some(b.now() + SECOND), ..b.job() }).await;
    f.advance(SECOND * 2);
    assert_eq!(b.promote().await.expired, 1);
    assert_eq!(sums(&b).await, []);
    for max_attempts in [3, 1] {
        b.running_of(NewJob { max_attempts, ..b.job() }).await;
    }
    f.advance(LEASE_OVER);
    let rescued = b.rescue().await;
    assert_eq!((rescued.retried, rescued.dead), (1, 1));
    assert_eq!(sums(&b).await, [(format!("{}/{}", queue(), kind()), Priority::Normal, 0, 1, 1)]);
}

/// A settlement that comes again counts once, and a lost one not at all.
pub async fn a_repeated_end_is_counted_once(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, good) = b.running().await;
    let (other, bad) = b.running().await;
    for _ in 0..2 {
        b.end(worker, &good, a_success()).await;
        b.end(other, &bad, a_death()).await;
    }
    assert_eq!(b.settle(other, &good, a_success()).await.lost.len(), 1);
    assert_eq!(sums(&b).await, [(format!("{}/{}", queue(), kind()), Priority::Normal, 1, 0, 1)]);
}

/// Each minute has its own figures, oldest first, with how long what succeeded ran and had waited. // I15
pub async fn each_minute_has_its_own_figures(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let began = b.now();
    for _ in 0..2 {
        let id = b.queued().await;
        f.advance(SECOND * 5);
        let worker = b.worker().await;
        let claimed = b.take(worker, id).await;
        f.advance(SECOND * 3);
        b.end(worker, &claimed, a_success()).await;
        f.advance(MINUTE * 2);
    }
    let rows = read(&b, began - MINUTE).await;
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].minute < rows[1].minute && rows[0].minute > began - MINUTE && rows[1].minute <= b.now());
    for row in &rows {
        assert_eq!(row.minute.micros() % 60_000_000, 0, "{row:?}");
        assert_eq!((row.succeeded, row.retried, row.dead), (1, 0, 0));
        assert!(row.run >= SECOND * 3 && row.run < SECOND * 3 + BUSY, "{row:?}");
        assert!(row.wait >= SECOND * 5 && row.wait < SECOND * 5 + BUSY, "{row:?}");
    }
    assert_eq!(read(&b, rows[1].minute).await, rows[1..], "from that minute on");
    assert_eq!(read(&b, rows[1].minute + SECOND).await, []);
}

/// Figures are kept for a while, whatever becomes of the jobs.
pub async fn figures_are_kept_for_a_while(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    end(&b, b.job(), a_success()).await;
    let retain = async || b.store.retain(&Retention::default(), PLENTY).await.expect("retains");
    f.advance(STATS_KEPT - HOUR);
    retain().await;
    assert_eq!(sums(&b).await.len(), 1);
    f.advance(HOUR * 2);
    retain().await;
    assert_eq!(sums(&b).await, []);
}
