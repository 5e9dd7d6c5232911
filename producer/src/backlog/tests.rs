//! Is a dear count made once for all who ask?

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use domain::{Job, JobId, TenantId};
use store::{AttemptLog, JobPage, PageRequest, TimelineEntry, WorkerRow};

use super::*;

/// Counts for so long, and how often it was asked to.
struct Slow {
    takes: Duration,
    counted: AtomicU32,
    fails: bool,
}

fn slow(millis: u64) -> (Arc<Slow>, Backlog) {
    let slow = Arc::new(Slow { takes: Duration::from_millis(millis), counted: AtomicU32::new(0), fails: false });
    (Arc::clone(&slow), Backlog::new(slow))
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_together_share_one_count() {
    let (slow, backlog) = slow(1_000);
    let asked: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let backlog = backlog.clone();
                async move { backlog.depths().await }
            })
        })
        .collect();
    for one in asked {
        one.await.expect("no panic").expect("counted");
    }
    assert_eq!(slow.counted.load(Ordering::Relaxed), 1);
    tokio::time::advance(Duration::from_secs(9)).await;
    backlog.depths().await.expect("counted");
    assert_eq!(slow.counted.load(Ordering::Relaxed), 1, "a dear count is believed");
    tokio::time::advance(Duration::from_secs(2)).await;
    backlog.depths().await.expect("counted");
    assert_eq!(slow.counted.load(Ordering::Relaxed), 2, "but not for ever");
}

#[tokio::test(start_paused = true)]
async fn a_cheap_count_is_always_new() {
    let (slow, backlog) = slow(5);
    for _ in 0..3 {
        backlog.depths().await.expect("counted");
    }
    assert_eq!(slow.counted.load(Ordering::Relaxed), 3);
}

/// Who has less patience than a count takes leaves it to the next.
#[tokio::test(start_paused = true)]
async fn a_count_ends_without_the_caller_who_began_it() {
    let (slow, backlog) = slow(3_000);
    for _ in 0..2 {
        let impatient = tokio::time::timeout(Duration::from_secs(2), backlog.depths()).await;
        if impatient.is_ok() {
            break;
        }
    }
    tokio::time::timeout(Duration::from_secs(2), backlog.depths()).await.expect("it was made meanwhile").expect("counted");
    assert_eq!(slow.counted.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_too() {
    let slow = Arc::new(Slow { takes: Duration::from_secs(5), counted: AtomicU32::new(0), fails: true });
    let backlog = Backlog::new(Arc::clone(&slow) as _);
    let ask = async || {
        let ask = |backlog: Backlog| tokio::spawn(async move { backlog.depths().await });
        for one in (0..20).map(|_| ask(backlog.clone())).collect::<Vec<_>>() {
            assert!(one.await.expect("no panic").is_err());
        }
    };
    ask().await;
    ask().await;
    assert_eq!(slow.counted.load(Ordering::Relaxed), 1);
    tokio::time::advance(Duration::from_secs(6)).await;
    ask().await;
    assert_eq!(slow.counted.load(Ordering::Relaxed), 2);
}

#[async_trait]
impl Reports for Slow {
    async fn depths(&self) -> Result<Vec<Depth>, StoreError> {
        self.counted.fetch_add(1, Ordering::Relaxed);
        testkit::hold(self.takes, "counting takes that long").await;
        if self.fails { Err(StoreError::Unavailable { doing: "counting", source: "s3cret".into() }) } else { Ok(Vec::new()) }
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn job(&self, _: &TenantId, _: JobId) -> Result<Option<Job>, StoreError> {
        Ok(None)
    }

    async fn jobs_by_id(&self, _: &TenantId, _: &[JobId]) -> Result<Vec<Job>, StoreError> {
        Ok(Vec::new())
    }

    async fn jobs(&self, _: &TenantId, _: &PageRequest) -> Result<JobPage, StoreError> {
        Ok(JobPage::default())
    }

    async fn timeline(&self, _: &TenantId, _: JobId) -> Result<Vec<TimelineEntry>, StoreError> {
        Ok(Vec::new())
    }

    async fn logs(&self, _: &TenantId, _: JobId) -> Result<Vec<AttemptLog>, StoreError> {
        Ok(Vec::new())
    }

    async fn running(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, StoreError> {
        Ok(Vec::new())
    }
}
