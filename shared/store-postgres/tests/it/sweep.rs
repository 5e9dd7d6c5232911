//! Does a write that fails at any of its statements leave everything as it was?
//!
//! Each case plans a failure at statement 0, 1, 2, … of one operation, the commit included, until the operation
//! gets through: every time before, the dump of all tables must be the same as if nobody had asked.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use domain::bounds::DEAD_KEPT;
use domain::{EndpointName, JobId, JobState, KeyId, NewJob, Priority, Progress, WaitingFor, WorkerId};
use store::contract::Fixture;
use store::contract::bench::{Bench, settlement};
use store::contract::sample::{
    HOUR, LEASE_OVER, PLENTY, SECOND, a_death, a_failure, a_success, class, idempotency, kind, no_worker, operator, other_queue, tenant,
    unique,
};
use store::{EffectCall, EffectEnd, End, Endpoint, LogLine, NewApiKey, Renewal, Scopes, Settlement, Store, Until};
use store_postgres::Plan;

use crate::fixture::PostgresFixture;

/// More statements than any operation here has.
const STATEMENTS_MAX: u32 = 60;

pub async fn sweep<T, E: Debug>(
    prepare: impl AsyncFnOnce(&mut PostgresFixture, &mut Bench) -> T,
    call: impl AsyncFn(&dyn Store, &T) -> Result<(), E>,
) {
    let mut f = PostgresFixture::new().await;
    let mut b = Bench::new(&f).await;
    let given = prepare(&mut f, &mut b).await;
    let failures = f.store.planned_failures().clone();
    let before = f.dump().await;
    for number in 0..STATEMENTS_MAX {
        failures.plan(Plan::FailAt(number));
        let outcome = call(&*f.store, &given).await;
        if failures.forget() {
            assert!(number >= 1, "an operation is at least a statement");
            outcome.expect("nothing failed");
            assert_ne!(f.dump().await, before, "it wrote something");
            assert_eq!(f.violations().await, Vec::<String>::new());
            return;
        }
        assert!(outcome.is_err(), "statement {number} failed and nobody noticed");
        assert_eq!(f.dump().await, before, "statement {number} failed and left something behind");
    }
    panic!("more than {STATEMENTS_MAX} statements");
}

/// A submission that uses everything there is.
pub fn rich(b: &Bench, key: &str) -> NewJob {
    NewJob {
        run_at: None,
        start_before: Some(b.now() + HOUR * 20),
        tags: vec!["a".to_owned()],
        callback_url: Some("https://example.com/told".to_owned()),
        payload: Arc::from("{}"),
        unique: unique(key, None),
        idempotency: idempotency(key, 1),
        max_attempts: 2,
        ..b.job()
    }
}

pub async fn rich_running(b: &Bench, count: usize) -> (WorkerId, Vec<Settlement>) {
    let jobs: Vec<NewJob> = (0..count).map(|n| rich(b, &format!("k{n}"))).collect();
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    b.enqueue(jobs).await;
    let worker = b.worker().await;
    let claimed = b.claim(worker, &ids).await;
    (worker, claimed.iter().map(|job| settlement(job, a_success())).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enqueue() {
    needs_postgres!();
    sweep(
        async |_, b| {
            let later = NewJob { run_at: Some(b.now() + HOUR), ..rich(b, "later") };
            vec![rich(b, "one"), later, b.job(), rich(b, "two")]
        },
        async |store, jobs| store.enqueue(jobs.clone()).await.map(drop),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_waiting() {
    needs_postgres!();
    sweep(
        async |_, b| b.put(NewJob { run_at: Some(b.now() + HOUR), ..rich(b, "k") }).await,
        async |store, id| store.cancel(&operator(), *id, Some("why not")).await.map(drop),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_running() {
    needs_postgres!();
    sweep(async |_, b| b.running().await.1.id, async |store, id| store.cancel(&operator(), *id, None).await.map(drop)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retry() {
    needs_postgres!();
    sweep(
        async |_, b| {
            let (worker, claimed) = b.running_of(rich(b, "k")).await;
            b.end(worker, &claimed, a_death()).await;
            claimed.id
        },
        async |store, id| store.retry(&operator(), *id, Some(Arc::from("[]"))).await.map(drop),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declare_queues() {
    needs_postgres!();
    let queues = ["one", "two"].map(domain::QueueName::of);
    sweep(async |_, _| queues, async |store, queues| store.declare_queues(queues).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn register() {
    needs_postgres!();
    sweep(async |_, b| b.registration(&[kind()]), async |store, worker| store.register(worker).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn renew() {
    needs_postgres!();
    sweep(
        async |f, b| {
            let worker = b.worker().await;
            let ids = b.queued_many(3).await;
            let held = b.take(worker, ids[0]).await;
            b.take(worker, ids[1]).await;
            b.take(worker, ids[2]).await;
            b.cancel(ids[2]).await.expect("asks");
            let progress = vec![(held.id, held.run, Progress { percent: 50, message: None })];
            f.advance(SECOND);
            Renewal { worker, as_of: b.now(), held: vec![held.claim], progress, marks: Vec::new(), ended: Vec::new() }
        },
        async |store, renewal| store.renew(renewal).await.map(drop),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retire() {
    needs_postgres!();
    sweep(async |_, b| b.worker().await, async |store, worker| store.retire(*worker).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim() {
    needs_postgres!();
    sweep(
        async |f, b| {
            let ids = b.queued_many(3).await;
            f.advance(SECOND);
            b.claim_of(b.worker().await, &ids)
        },
        async |store, claim| store.claim(claim).await.map(drop),
    )
    .await;
}

/// What came too late is expired after the claim: when that fails, what was claimed is claimed, and the timer does the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claim_of_what_is_late() {
    needs_postgres!();
    let mut until = 0;
    for number in 1..STATEMENTS_MAX {
        let f = PostgresFixture::new().await;
        let b = Bench::new(&f).await;
        let (ids, worker) = (b.queued_many(2).await, b.worker().await);
        let late = b.put(NewJob { start_before: Some(b.now() + SECOND), ..rich(&b, "late") }).await;
        f.advance(SECOND * 2);
        let failures = f.store.planned_failures().clone();
        failures.plan(Plan::FailAt(number));
        let claimed = b.claim(worker, &[ids[0], ids[1], late]).await;
        assert_eq!(claimed.iter().map(|job| job.id).collect::<Vec<_>>(), ids, "statement {number}");
        let got_through = failures.forget();
        assert_eq!(b.state(late).await == JobState::Expired, got_through, "statement {number}");
        assert_eq!(f.violations().await, Vec::<String>::new(), "statement {number}");
        assert_eq!(b.promote().await.expired, usize::from(!got_through), "statement {number}");
        until = number;
        if got_through {
            break;
        }
    }
    assert!(until > 5 && until < STATEMENTS_MAX - 1, "{until}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settle() {
    needs_postgres!();
    sweep(
        async |_, b| {
            let (worker, mut ends) = rich_running(b, 6).await;
            let failure = a_failure();
            ends[1].end = End::Retry { at: b.now() + HOUR, failure: failure.clone() };
            ends[2].end = End::Deferred { until: Until::Time { at: b.now(), reason: WaitingFor::RateLimit }, failure: Some(failure) };
            ends[3].end = End::Deferred { until: no_worker(), failure: None };
            ends[4].end = a_death();
            ends[5].end = End::Cancelled;
            for end in &mut ends {
                end.logs = vec![LogLine { at: b.now(), level: "info".to_owned(), message: "\0\u{1}".to_owned() }];
                end.output = Some("…".to_owned());
                end.progress = Some(Progress { percent: 99, message: Some("almost".to_owned()) });
            }
            (worker, ends)
        },
        async |store, (worker, ends)| store.settle(*worker, ends).await.map(drop),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn park() {
    needs_postgres!();
    sweep(async |_, b| b.queued_many(3).await, async |store, ids| store.park(&class(), ids, &no_worker()).await.map(drop)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn effects() {
    needs_postgres!();
    async fn call(b: &Bench) -> EffectCall {
        let (worker, claimed) = b.running().await;
        EffectCall { worker, job: claimed.id, run: claimed.run, name: "deliver".to_owned(), key: claimed.stable_key() }
    }
    sweep(async |_, b| call(b).await, async |store, call| store.effect_begin(call).await.map(drop)).await;
    sweep(
        async |_, b| {
            let call = call(b).await;
            b.store.effect_begin(&call).await.expect("begins");
            call
        },
        async |store, call| store.effect_end(call, &EffectEnd::Confirmed { handle: "h".to_owned() }).await,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promote() {
    needs_postgres!();
    sweep(
        async |f, b| {
            b.waiting_until(b.now() + SECOND).await;
            b.put(NewJob { start_before: Some(b.now() + SECOND), ..rich(b, "late") }).await;
            f.advance(SECOND * 2);
        },
        async |store, ()| store.promote(PLENTY).await.map(drop),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn release() {
    needs_postgres!();
    sweep(
        async |_, b| {
            let ids = b.queued_many(3).await;
            b.store.park(&class(), &ids, &no_worker()).await.expect("parks");
            b.worker().await;
        },
        async |store, ()| store.release(PLENTY).await.map(drop),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rescue() {
    needs_postgres!();
    sweep(
        async |f, b| {
            let (_, ends) = rich_running(b, 3).await;
            b.cancel(ends[0].job).await.expect("asks");
            let last = NewJob { max_attempts: 1, ..rich(b, "last") };
            b.running_of(last).await;
            f.advance(LEASE_OVER);
        },
        async |store, ()| store.rescue(PLENTY).await.map(drop),
    )
    .await;
}

/// Two transactions, each whole or not at all: rows are deleted, then partitions that are empty by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retain() {
    needs_postgres!();
    let mut f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let (worker, mut ends) = rich_running(&b, 4).await;
    ends[1].end = a_death();
    ends[2].end = End::Cancelled;
    ends[3].end = End::Retry { at: b.now() + DEAD_KEPT * 2, failure: a_failure() };
    b.store.settle(worker, &ends).await.expect("settles");
    f.advance(DEAD_KEPT + HOUR);
    let failures = f.store.planned_failures().clone();
    let mut statements = 0;
    for number in 0..STATEMENTS_MAX {
        failures.plan(Plan::FailAt(number));
        let outcome = f.store().retain(&store::Retention::default(), PLENTY).await;
        assert_eq!(f.violations().await, Vec::<String>::new(), "statement {number} failed and left something half done");
        if failures.forget() {
            outcome.expect("nothing failed");
            break;
        }
        assert!(outcome.is_err(), "statement {number} failed and nobody noticed");
        statements = number;
    }
    assert!(statements > 10 && statements < STATEMENTS_MAX - 1, "{statements}");
    assert!(b.find(ends[0].job).await.is_none() && b.find(ends[3].job).await.is_some());
    f.restart().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys() {
    needs_postgres!();
    fn key() -> NewApiKey {
        NewApiKey { id: KeyId::from_bytes([7; 16]), tenant: tenant(), name: "ci".to_owned(), scopes: Scopes::SUBMIT, hash: [1; 32] }
    }
    sweep(async |_, _| key(), async |store, key| store.key_create(&operator(), key).await.map(drop)).await;
    sweep(
        async |_, b| b.store.key_create(&operator(), &key()).await.expect("creates").id,
        async |store, id| store.key_revoke(&operator(), *id).await.map(drop),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints() {
    needs_postgres!();
    fn endpoint(b: &Bench) -> Endpoint {
        let (name, url) = (EndpointName::of("orders"), Some("https://example.com".to_owned()));
        Endpoint { tenant: tenant(), name, url, sealed_secret: vec![1], created_at: b.now(), disabled_at: None, disabled_reason: None }
    }
    sweep(async |_, b| endpoint(b), async |store, endpoint| store.endpoint_create(&operator(), endpoint).await.map(drop)).await;
    sweep(
        async |_, b| b.store.endpoint_create(&operator(), &endpoint(b)).await.expect("creates").0.name,
        async |store, name| store.endpoint_disable(&operator(), name, Some("gone")).await.map(drop),
    )
    .await;
}

/// All that is stored but the ledger: rows that list nothing new are written by a repeated call, and found to be noise later.
async fn jobs_of(f: &PostgresFixture) -> String {
    f.dump().await.lines().filter(|line| !line.starts_with("emission:")).collect::<Vec<_>>().join("\n")
}

/// A call whose commit took effect and whose reply was lost is repeated: the second leaves things as the first did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_reply_is_repeated_without_harm() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let lose = || f.store.planned_failures().plan(Plan::LoseReply);
    let jobs = vec![rich(&b, "one"), b.job(), NewJob { priority: Priority::High, queue: other_queue(), ..b.job() }];
    lose();
    f.store().enqueue(jobs.clone()).await.expect_err("the reply is lost");
    let once = jobs_of(&f).await;
    f.store().enqueue(jobs.clone()).await.expect("repeats");
    assert_eq!(jobs_of(&f).await, once);
    assert_eq!(f.violations().await, Vec::<String>::new());

    let worker = b.worker().await;
    let claim = b.claim_of(worker, &[jobs[0].id, jobs[1].id]);
    lose();
    f.store().claim(&claim).await.expect_err("the reply is lost");
    let claimed = f.store().adopt(worker, claim.id).await.expect("adopts");
    assert_eq!(claimed.len(), 2);

    let mut ends: Vec<Settlement> = claimed.iter().map(|job| settlement(job, a_success())).collect();
    ends[1].end = End::Retry { at: b.now() + Duration::from_secs(60), failure: a_failure() };
    lose();
    f.store().settle(worker, &ends).await.expect_err("the reply is lost");
    let once = f.dump().await;
    let settled = f.store().settle(worker, &ends).await.expect("repeats");
    assert_eq!((settled.lost, f.dump().await), (Vec::new(), once));
}

/// The same for the intent of an effect: asked again within its run, it is still the first one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_intent_is_repeated_without_harm() {
    needs_postgres!();
    let f = PostgresFixture::new().await;
    let b = Bench::new(&f).await;
    let (worker, claimed) = b.running().await;
    let call = EffectCall { worker, job: claimed.id, run: claimed.run, name: "deliver".to_owned(), key: claimed.stable_key() };
    let confirmed = EffectEnd::Confirmed { handle: "h".to_owned() };
    for twice in [false, true] {
        f.store.planned_failures().plan(Plan::LoseReply);
        if twice {
            f.store().effect_end(&call, &confirmed).await.expect_err("the reply is lost");
            f.store().effect_end(&call, &confirmed).await.expect("repeats");
        } else {
            f.store().effect_begin(&call).await.expect_err("the reply is lost");
            assert_eq!(f.store().effect_begin(&call).await.expect("repeats"), domain::EffectState::Intent);
        }
    }
    let known = f.store().effect_begin(&call).await.expect("tells");
    assert_eq!(known, domain::EffectState::Confirmed { handle: "h".to_owned() });
}
