//! How often may a job be put off at no cost? Often, but what goes round for ever comes to an end.

use domain::bounds::FREE_DEFERRALS_MAX;
use domain::{ClaimedJob, JobId, JobState, NewJob, WaitingFor, WorkerId};

use super::Fixture;
use super::bench::Bench;
use super::sample::{SECOND, a_failure, a_success, tenant};
use crate::{End, Until};

fn put_off(b: &Bench) -> End {
    End::Deferred { until: Until::Time { at: b.now(), reason: WaitingFor::RateLimit }, failure: Some(a_failure()) }
}

/// Lets one claim after another end by `defer`, `times` times, each at no cost.
async fn go_round(b: &Bench, f: &dyn Fixture, id: JobId, times: u32, defer: impl AsyncFn(&Bench, WorkerId, &ClaimedJob)) {
    let worker = b.worker().await;
    let first = b.read(id).await.run;
    for round in 1..=times {
        let claimed = b.take(worker, id).await;
        assert_eq!((claimed.attempt, claimed.run), (1, first + round));
        defer(b, worker, &claimed).await;
        assert_eq!(b.read(id).await.attempt, 0, "round {round} is free");
        b.let_it_fall_due(f, id).await;
        b.renew(worker, &[]).await.expect("renews");
    }
}

async fn defer(b: &Bench, worker: WorkerId, claimed: &ClaimedJob) {
    b.end(worker, claimed, put_off(b)).await;
}

/// Past the bound a deferral costs the attempt, and without another one the job; a repetition of that last one is none. // I7
pub async fn deferrals_are_not_free_for_ever(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { max_attempts: 2, ..b.job() }).await;
    go_round(&b, f, id, FREE_DEFERRALS_MAX, defer).await;
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    defer(&b, worker, &claimed).await;
    assert_eq!((b.state(id).await, b.read(id).await.attempt), (JobState::Waiting, 1), "it cost the attempt");
    b.let_it_fall_due(f, id).await;
    let last = b.take(worker, id).await;
    assert_eq!(last.attempt, 2);
    defer(&b, worker, &last).await;
    let job = b.read(id).await;
    assert_eq!((job.state, job.attempt, job.crashes), (JobState::Dead, 2, 0));
    assert_eq!(job.error.expect("says why").code, "deferred_too_often");
    defer(&b, worker, &last).await;
    let timeline = b.store.timeline(&tenant(), id).await.expect("reads");
    assert_eq!(timeline.iter().filter(|step| step.to == JobState::Dead).count(), 1);
}

/// Hand-backs of strangers count like deferrals, and a replay makes both free again.
pub async fn hand_backs_are_not_free_for_ever_and_a_replay_makes_them_so_again(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.put(NewJob { max_attempts: 1, ..b.job() }).await;
    let hand_back = async |b: &Bench, worker: WorkerId, _: &ClaimedJob| {
        assert_eq!(b.renew(worker, &[]).await.expect("renews").handed_back, 1);
    };
    go_round(&b, f, id, FREE_DEFERRALS_MAX, hand_back).await;
    let worker = b.worker().await;
    b.take(worker, id).await;
    assert_eq!(b.renew(worker, &[]).await.expect("renews").handed_back, 1);
    assert_eq!(b.state(id).await, JobState::Dead);
    b.replay(id).await;
    go_round(&b, f, id, 2, defer).await;
    f.advance(SECOND);
    let claimed = b.take(worker, id).await;
    b.end(worker, &claimed, a_success()).await;
}
