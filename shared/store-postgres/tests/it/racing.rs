//! What do two processes on one database do to each other? Two stores are two processes: nothing but the database connects them.

use std::sync::Arc;
use std::time::Duration;

use domain::{JobId, JobState, NewJob};
use sqlx::Executor as _;
use store::contract::Fixture as _;
use store::contract::bench::{Bench, settlement};
use store::contract::sample::{
    HOUR, LEASE_OVER, PLENTY, SECOND, a_failure, a_success, class, idempotency, listed, no_worker, operator, sorted, unique,
};
use store::{Acceptance, ActError, Claim, Enqueued, Intake as _, Ledger as _, Mint, Store, Upkeep as _, WorkError};
use store_postgres::PostgresStore;
use testkit::{eventually, within};
use tokio::sync::Barrier;

use crate::fixture::PostgresFixture;

pub const ROUNDS: usize = 50;
const LONG: Duration = Duration::from_secs(30);

pub struct Two {
    pub f: PostgresFixture,
    pub a: Bench,
    pub b: Bench,
    pub other: Arc<PostgresStore>,
}

pub async fn two() -> Two {
    let f = PostgresFixture::new().await;
    let a = Bench::new(&f).await;
    let other = f.another().await;
    let b = Bench { store: other.clone(), mint: Mint::default() };
    Two { f, a, b, other }
}

impl Two {
    /// Time passes for both.
    pub fn advance(&self, by: Duration) {
        self.f.advance(by);
        self.other.shift_clock(by);
    }

    pub async fn assert_sound(&self) {
        assert_eq!(self.f.violations().await, Vec::<String>::new());
    }
}

/// Runs both at the same moment.
pub async fn at_once<A, B>(first: impl Future<Output = A> + Send + 'static, second: impl Future<Output = B> + Send + 'static) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let barrier = Arc::new(Barrier::new(2));
    let other = Arc::clone(&barrier);
    let first = tokio::spawn(async move {
        barrier.wait().await;
        first.await
    });
    let second = tokio::spawn(async move {
        other.wait().await;
        second.await
    });
    (within("the first", LONG, first).await.expect("no panic"), within("the second", LONG, second).await.expect("no panic"))
}

async fn enqueue(store: Arc<dyn Store>, jobs: Vec<NewJob>) -> Enqueued {
    store.enqueue(jobs).await.expect("enqueues")
}

/// Two submissions under one key, of two processes: one makes the job, the other is answered with it.
async fn race_for_a_key(make: impl Fn(&Bench, usize) -> NewJob, how: Acceptance) {
    let two = two().await;
    for round in 0..ROUNDS {
        let (mine, theirs) = (make(&two.a, round), make(&two.b, round));
        let ids = [mine.id, theirs.id];
        let (mine, theirs) = at_once(enqueue(two.a.store.clone(), vec![mine]), enqueue(two.b.store.clone(), vec![theirs])).await;
        let (mine, theirs) = (mine.accepted[0].clone(), theirs.accepted[0].clone());
        assert_eq!(mine.job, theirs.job, "round {round}");
        let mut hows = [mine.how, theirs.how];
        hows.sort_by_key(|how| *how != Acceptance::New);
        assert_eq!(hows, [Acceptance::New, how], "round {round}");
        let mut there = 0;
        for id in ids {
            there += usize::from(two.a.find(id).await.is_some());
        }
        assert_eq!(there, 1, "round {round}");
    }
    two.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_idempotency_key_makes_one_job() {
    needs_postgres!();
    race_for_a_key(|b, n| NewJob { idempotency: idempotency(&format!("k{n}"), 1), ..b.job() }, Acceptance::Replayed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_window_makes_one_job() {
    needs_postgres!();
    race_for_a_key(|b, n| NewJob { unique: unique(&format!("k{n}"), None), ..b.job() }, Acceptance::UniqueConflict).await;
}

/// Batches that share all their keys, in opposite order: the whole of one is taken, the other gets its jobs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_with_the_same_keys_do_not_block_each_other() {
    needs_postgres!();
    let two = two().await;
    for round in 0..10 {
        let make = |b: &Bench, n: usize| NewJob { idempotency: idempotency(&format!("{round}-{n}"), 1), ..b.job() };
        let mine: Vec<NewJob> = (0..20).map(|n| make(&two.a, n)).collect();
        let theirs: Vec<NewJob> = (0..20).rev().map(|n| make(&two.b, n)).collect();
        let (mine, theirs) = at_once(enqueue(two.a.store.clone(), mine), enqueue(two.b.store.clone(), theirs)).await;
        let ids = |told: &Enqueued| sorted(&told.accepted.iter().map(|accepted| accepted.job).collect::<Vec<_>>());
        assert_eq!(ids(&mine), ids(&theirs));
        assert_eq!(mine.accepted.iter().chain(&theirs.accepted).filter(|accepted| accepted.how == Acceptance::New).count(), 20);
    }
    two.assert_sound().await;
}

/// Packed hints that overlap, asked for in opposite order: every job is taken once. // I1, I3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn overlapping_claims_share_the_jobs_out() {
    needs_postgres!();
    let two = two().await;
    let (mine, theirs) = (two.a.worker().await, two.b.worker().await);
    for _ in 0..10 {
        let jobs = two.a.queued_many(120).await;
        let claims = |b: &Bench, worker, back: bool| {
            let mut parts: Vec<Claim> = jobs.windows(30).step_by(15).map(|part| b.claim_of(worker, part)).collect();
            if back {
                parts.reverse();
            }
            let store = b.store.clone();
            async move {
                let mut taken = Vec::new();
                for claim in parts {
                    taken.extend(store.claim(&claim).await.expect("claims").jobs.into_iter().map(|job| job.id));
                }
                taken
            }
        };
        let (won, lost) = at_once(claims(&two.a, mine, false), claims(&two.b, theirs, true)).await;
        assert_eq!(sorted(&[won, lost].concat()), jobs);
    }
    two.assert_sound().await;
}

/// A cancel comes from one process while another claims and ends the job: whatever wins, the job ends once and says how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancels_race_claims_and_ends() {
    needs_postgres!();
    let two = two().await;
    let worker = two.a.worker().await;
    for round in 0..ROUNDS {
        let id = two.a.queued().await;
        let (store, claim, end) = (two.a.store.clone(), two.a.claim_of(worker, &[id]), round % 3);
        let failed = store::End::Retry { at: two.a.now() + HOUR, failure: a_failure() };
        let work = async move {
            let claimed = store.claim(&claim).await.expect("claims").jobs.pop()?;
            let end = if end == 0 { failed } else { a_success() };
            let settled = store.settle(worker, &[settlement(&claimed, end)]).await.expect("settles");
            assert_eq!(settled.lost, []);
            Some(())
        };
        let canceller = two.b.store.clone();
        let (worked, cancelled) =
            at_once(work, async move { canceller.cancel(&operator(), id, None).await.map(|told| told.job.state) }).await;
        let job = two.b.read(id).await;
        let seen = format!("round {round}: {worked:?} {cancelled:?} {job:?}");
        match (worked, cancelled) {
            (None, Ok(JobState::Cancelled)) => assert_eq!((job.state, job.run), (JobState::Cancelled, 0), "{seen}"),
            (Some(()), Ok(JobState::Running)) => assert_ne!(job.state, JobState::Waiting, "it was asked for in time: {seen}"),
            (Some(()), Ok(JobState::Cancelled)) => assert_eq!((job.state, job.run), (JobState::Cancelled, 1), "{seen}"),
            (Some(()), Err(ActError::Illegal(JobState::Succeeded))) => assert_eq!(job.state, JobState::Succeeded, "{seen}"),
            _ => panic!("{seen}"),
        }
    }
    two.assert_sound().await;
}

/// Duties run in every scheduler at the same time: what is due is promoted once, what is parked released once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duties_share_the_work_out() {
    needs_postgres!();
    let two = two().await;
    for _ in 0..5 {
        let due = two.a.now() + SECOND;
        let later: Vec<NewJob> = (0..60).map(|_| NewJob { run_at: Some(due), ..two.a.job() }).collect();
        let later_ids: Vec<JobId> = later.iter().map(|job| job.id).collect();
        two.a.enqueue(later).await;
        two.advance(SECOND * 2);
        let promote = |store: Arc<PostgresStore>| async move { store.promote(PLENTY).await.expect("promotes").emissions };
        let (one, other) = at_once(promote(two.f.store.clone()), promote(two.other.clone())).await;
        assert_eq!(listed(&[one, other].concat()), later_ids);
        let parked = two.a.queued_many(60).await;
        two.a.store.park(&class(), &parked, &no_worker()).await.expect("parks");
        two.a.worker().await;
        let release = |store: Arc<PostgresStore>| async move { store.release(PLENTY).await.expect("releases").emissions };
        let (one, other) = at_once(release(two.f.store.clone()), release(two.other.clone())).await;
        assert_eq!(listed(&[one, other].concat()), parked);
    }
    two.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schedulers_send_different_rows() {
    needs_postgres!();
    let two = two().await;
    for _ in 0..5 {
        let ids = two.a.queued_many(80).await;
        two.advance(Duration::from_secs(61));
        let take = |store: Arc<PostgresStore>| async move { store.unconfirmed(PLENTY).await.expect("takes up") };
        let (one, other) = at_once(take(two.f.store.clone()), take(two.other.clone())).await;
        assert_eq!(listed(&[one, other].concat()), ids);
        two.a.claim(two.a.worker().await, &ids).await;
        two.advance(Duration::from_secs(61));
        assert_eq!(two.f.store.unconfirmed(PLENTY).await.expect("takes up"), [], "nothing is left for the next round");
    }
}

/// The pass that declares a worker dead sees everything that it ever claimed: no claim slips behind its rescue.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_does_not_slip_behind_its_rescue() {
    needs_postgres!();
    let two = two().await;
    // To the other process the lease is over, to this one it is live: that is how close it can get.
    two.other.shift_clock(LEASE_OVER);
    let (mut won, mut fenced) = (0, 0);
    for round in 0..ROUNDS {
        let worker = two.a.worker().await;
        let ids = two.a.queued_many(3).await;
        let (store, claim) = (two.a.store.clone(), two.a.claim_of(worker, &ids));
        let rescuer = two.other.clone();
        let (claimed, rescued) =
            at_once(async move { store.claim(&claim).await }, async move { rescuer.rescue(PLENTY).await.expect("rescues") }).await;
        let taken = match claimed {
            Ok(claimed) => claimed.jobs.len(),
            Err(WorkError::Fenced) => 0,
            Err(error) => panic!("round {round}: {error}"),
        };
        won += usize::from(taken > 0);
        fenced += usize::from(taken == 0);
        if rescued.workers.contains(&worker) {
            assert_eq!(rescued.retried, taken, "round {round}: it was declared dead, and {taken} of its jobs were there");
        } else {
            assert_eq!((taken, rescued.retried), (3, 0), "round {round}: it was claiming at that moment");
            let next = two.other.rescue(PLENTY).await.expect("rescues");
            assert_eq!((next.workers.contains(&worker), next.retried), (true, 3), "round {round}");
        }
        assert!(matches!(two.a.store.claim(&two.a.claim_of(worker, &ids)).await, Err(WorkError::Fenced)));
        for id in ids {
            assert_ne!(two.a.state(id).await, JobState::Running, "round {round}");
        }
    }
    assert_eq!(won + fenced, ROUNDS);
    two.assert_sound().await;
}

/// What one process has rescued, the other cannot end any more. // I3
#[tokio::test]
async fn an_end_after_a_rescue_elsewhere_is_lost() {
    needs_postgres!();
    let two = two().await;
    let (worker, claimed) = two.a.running().await;
    two.advance(LEASE_OVER);
    assert_eq!(two.other.rescue(PLENTY).await.expect("rescues").retried, 1);
    let settled = two.a.settle(worker, &claimed, a_success()).await;
    assert_eq!(settled.lost, [(claimed.id, claimed.run)]);
    assert_eq!(two.b.state(claimed.id).await, JobState::Waiting);
    two.assert_sound().await;
}

/// Ends of one attempt and its rescue at the same time, in two processes: exactly one of them counts. // I3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_races_a_rescue() {
    needs_postgres!();
    let two = two().await;
    two.other.shift_clock(LEASE_OVER);
    for round in 0..ROUNDS {
        let (worker, claimed) = two.a.running().await;
        let (store, end, rescuer) = (two.a.store.clone(), settlement(&claimed, a_success()), two.other.clone());
        let (settled, rescued) = at_once(async move { store.settle(worker, &[end]).await.expect("settles").lost.is_empty() }, async move {
            rescuer.rescue(PLENTY).await.expect("rescues").retried == 1
        })
        .await;
        assert_ne!(settled, rescued, "round {round}");
        assert_eq!(two.a.state(claimed.id).await == JobState::Succeeded, settled, "round {round}");
    }
    two.assert_sound().await;
}

/// A cancel holds a job and wants its timer; somebody holds the timer and wants the job. The database ends the cancel's
/// transaction, and the store tries again by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadlock_is_tried_again() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let id = b.waiting_until(b.now() + HOUR).await;
    let mut holder = f.database.connect().await;
    holder.execute("begin; set local deadlock_timeout = '60s'; select 1 from timer for update").await.expect("locks the timer");
    let store = f.store.clone();
    let cancelling = tokio::spawn(async move { store.cancel(&operator(), id, None).await });
    let mut watcher = f.database.connect().await;
    let waits = "select 1 from pg_stat_activity where datname = current_database() and application_name = 'flotilla acts'
        and wait_event_type = 'Lock'";
    let waiting = async || sqlx::query(waits).fetch_optional(&mut watcher).await.is_ok_and(|row| row.is_some());
    eventually("the cancel waits for the timer", LONG, waiting).await;
    // Waits until the transaction of the cancel is ended.
    within("the job", LONG, holder.execute("select 1 from job for update")).await.expect("locks the job");
    holder.execute("commit").await.expect("lets go");
    let cancelled = within("the cancel", LONG, cancelling).await.expect("no panic").expect("was tried again");
    assert_eq!(cancelled.job.state, JobState::Cancelled);
    assert_eq!(f.violations().await, Vec::<String>::new());
}
