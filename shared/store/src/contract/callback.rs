//! Is the caller told of a job's end? Once for each end, whoever brought it, and never before.

use domain::{ClaimedJob, Job, JobFilter, JobState, WaitingFor};

use super::Fixture;
use super::bench::Bench;
use super::ending::{Ending, with_callback};
use super::sample::{HOUR, a_death, a_failure, a_success, callback_kind, class, listed, no_worker, rate_limit, stranger, tenant};
use crate::{End, PageRequest, Until};

async fn callbacks(b: &Bench) -> Vec<Job> {
    b.jobs(JobFilter { kind: Some(callback_kind()), ..JobFilter::default() }).await
}

/// Every way to end makes exactly one callback job, and returns its emission.
pub async fn every_end_makes_one_callback(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for (n, ending) in Ending::ALL.into_iter().enumerate() {
        let (id, emissions) = ending.reach(&b, f, with_callback(b.job())).await;
        let told = callbacks(&b).await;
        assert_eq!(told.len(), n + 1, "{ending:?} of {id}");
        let job = &told[0];
        assert!(!job.state.is_terminal() && job.tenant == tenant() && job.callback_url.is_none(), "{ending:?}: {job:?}");
        assert_eq!((job.state, listed(&emissions)), (JobState::Queued, vec![job.id]), "{ending:?}");
    }
}

/// Jobs that do not ask for it make no callback, however they end; nor do callbacks themselves.
pub async fn nobody_is_told_unasked(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for ending in Ending::ALL {
        let (_, emissions) = ending.reach(&b, f, b.job()).await;
        assert_eq!(emissions, [], "{ending:?}");
    }
    assert_eq!(callbacks(&b).await, []);
}

/// The callback says which job it is about and where to tell it, in its own tenant.
pub async fn a_callback_names_the_job_and_the_url(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = Ending::Succeeded.reach(&b, f, with_callback(b.job())).await;
    let told = b.read(callbacks(&b).await.remove(0).id).await;
    assert!(told.payload.contains(&id.to_string()), "{}", told.payload);
    assert!(told.payload.contains("https://example.com/told"), "{}", told.payload);
    assert_eq!(told.callback_url, None, "a callback is not told of");
}

/// A callback belongs to the tenant of its job. // I17
pub async fn a_callback_is_of_the_jobs_tenant(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let job = domain::NewJob { tenant: stranger(), ..with_callback(b.job()) };
    let id = job.id;
    b.enqueue(vec![job]).await;
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    b.end(worker, &claimed, a_success()).await;
    let page = PageRequest { filter: JobFilter { kind: Some(callback_kind()), ..JobFilter::default() }, after: None, limit: 9 };
    let told = b.store.jobs(&stranger(), &page).await.expect("lists").jobs;
    assert_eq!(told.iter().map(|job| job.tenant.clone()).collect::<Vec<_>>(), [stranger()]);
    assert_eq!(callbacks(&b).await, []);
}

/// What does not end a job tells nobody: retries, deferrals, crashes, parking, cancel requests.
pub async fn what_is_no_end_makes_no_callback(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running_of(with_callback(b.job())).await;
    let id = claimed.id;
    b.end(worker, &claimed, End::Retry { at: b.now(), failure: a_failure() }).await;
    b.let_it_fall_due(f, id).await;
    let claimed = b.take(worker, id).await;
    let until = Until::Time { at: b.now() + HOUR, reason: WaitingFor::Budget };
    b.end(worker, &claimed, End::Deferred { until, failure: None }).await;
    b.let_it_fall_due(f, id).await;
    b.store.park(&class(), &[id], &no_worker()).await.expect("parks");
    b.worker().await;
    b.release().await;
    b.crash(f, id).await;
    b.let_it_fall_due(f, id).await;
    let worker = b.worker().await;
    let claimed: ClaimedJob = b.take(worker, id).await;
    b.cancel(id).await.expect("asks");
    assert_eq!(callbacks(&b).await, []);
    b.end(worker, &claimed, End::Deferred { until: rate_limit(), failure: None }).await;
    assert_eq!(callbacks(&b).await.len(), 1, "the deferral became the end");
}

/// A settlement repeated after its reply was lost tells nobody twice.
pub async fn a_repeated_settlement_makes_one_callback(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for (n, end) in [a_success(), a_death(), End::Cancelled].into_iter().enumerate() {
        let (worker, claimed) = b.running_of(with_callback(b.job())).await;
        assert_eq!(listed(&b.end(worker, &claimed, end.clone()).await.emissions).len(), 1);
        b.end(worker, &claimed, end).await;
        assert_eq!(callbacks(&b).await.len(), n + 1);
    }
}

/// A replayed job that ends again tells of that end too.
pub async fn each_end_of_a_replayed_job_is_told(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, _) = Ending::Dead.reach(&b, f, with_callback(b.job())).await;
    b.replay(id).await;
    assert_eq!(callbacks(&b).await.len(), 1);
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    b.end(worker, &claimed, a_success()).await;
    assert_eq!(callbacks(&b).await.len(), 2);
}

/// A callback is a job like any other: claimed in its class and settled.
pub async fn a_callback_runs_like_any_job(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (_, emissions) = Ending::Succeeded.reach(&b, f, with_callback(b.job())).await;
    let worker = b.worker_for(&[callback_kind()]).await;
    let claim = b.claim_in(&emissions[0].class, worker, &emissions[0].jobs);
    let claimed = b.store.claim(&claim).await.expect("claims").jobs;
    assert_eq!(claimed.iter().map(|job| job.kind.clone()).collect::<Vec<_>>(), [callback_kind()]);
    b.end(worker, &claimed[0], a_success()).await;
    assert_eq!(b.state(claimed[0].id).await, JobState::Succeeded);
}
