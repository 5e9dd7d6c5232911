//! What does the store do with the end of an attempt? It counts once, and only for the run it belongs to.

use std::sync::Arc;

use domain::{Failure, JobState, NewJob, Progress, WaitingFor};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::{Bench, settlement};
use super::sample::{HOUR, LEASE_OVER, SECOND, a_death, a_failure, a_success, no_worker, tenant};
use crate::{AttemptLog, End, LogLine, Settled, Settlement, Until};

/// Success ends the job and keeps the result's text.
pub async fn success_ends_the_job(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let text = "{ \"n\": 123456789012345678901234567890, \"z\":\"\\u0000\" }";
    let settled = b.end(worker, &claimed, End::Succeeded { result: Some(text.into()) }).await;
    assert_eq!(settled, Settled::default());
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.result.as_deref(), job.error), (JobState::Succeeded, Some(text), None));
    assert_eq!((job.worker, job.run, job.attempt, job.waiting_for), (None, 1, 1, None));
    assert!(job.finished_at.is_some_and(|at| at >= claimed.started_at && at <= b.now()));
    assert_eq!(b.store.running().await.expect("counts"), 0);
}

/// A success without a result is one.
pub async fn success_needs_no_result(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.end(worker, &claimed, End::Succeeded { result: None }).await;
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.result), (JobState::Succeeded, None));
}

/// Death ends the job and keeps why.
pub async fn a_death_keeps_its_failure(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    b.end(worker, &claimed, a_death()).await;
    let job = b.read(claimed.id).await;
    let End::Dead { failure } = a_death() else { panic!("the sample is a death") };
    assert_eq!((job.state, job.error, job.worker, job.attempt), (JobState::Dead, Some(failure), None, 1));
    assert!(job.finished_at.is_some());
}

/// A retry is a recorded state with a time, and costs the attempt. // I8
pub async fn a_retry_waits_until_its_time(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let at = b.now() + HOUR;
    let settled = b.end(worker, &claimed, End::Retry { at, failure: a_failure() }).await;
    assert_eq!(settled.next_timer, Some(at));
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.waiting_for, job.run_at), (JobState::Waiting, Some(WaitingFor::Retry), at));
    assert_eq!((job.error, job.run, job.attempt, job.worker, job.finished_at), (Some(a_failure()), 1, 1, None, None));
    b.let_it_fall_due(f, claimed.id).await;
    let next = b.worker().await;
    let again = b.take(next, claimed.id).await;
    assert_eq!((again.run, again.attempt), (2, 2));
    b.end(next, &again, a_success()).await;
    assert_eq!(b.read(claimed.id).await.error, None, "the last attempt did not fail");
}

/// A deferral gives the attempt back and keeps the run; its reason shows.
pub async fn a_deferral_is_free(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let at = b.now() + HOUR;
    let until = Until::Time { at, reason: WaitingFor::RateLimit };
    let settled = b.end(worker, &claimed, End::Deferred { until, failure: Some(a_failure()) }).await;
    assert_eq!(settled.next_timer, Some(at));
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.waiting_for, job.run_at), (JobState::Waiting, Some(WaitingFor::RateLimit), at));
    assert_eq!((job.run, job.attempt, job.crashes, job.worker), (1, 0, 0, None));
    b.let_it_fall_due(f, claimed.id).await;
    let again = b.take(b.worker().await, claimed.id).await;
    assert_eq!((again.run, again.attempt), (2, 1));
}

/// A job deferred until a key is freed has a parking place and no timer.
pub async fn a_deferral_can_wait_for_a_key(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let settled = b.end(worker, &claimed, End::Deferred { until: no_worker(), failure: None }).await;
    assert_eq!(settled.next_timer, None);
    let job = b.read(claimed.id).await;
    assert_eq!((job.state, job.waiting_for, job.attempt, job.run), (JobState::Waiting, Some(WaitingFor::NoWorker), 0, 1));
    f.advance(SECOND);
    assert_eq!(b.release().await, [claimed.id], "its worker still lives and knows the kind");
    assert_eq!(b.state(claimed.id).await, JobState::Queued);
}

/// A settlement of a run that is over writes nothing and is reported lost. // I3
pub async fn a_stale_settlement_is_lost(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (first, old) = b.running().await;
    f.advance(LEASE_OVER);
    b.rescue().await;
    b.let_it_fall_due(f, old.id).await;
    let second = b.worker().await;
    let new = b.take(second, old.id).await;
    let before = b.read(old.id).await;
    for end in [a_success(), a_death(), End::Cancelled, End::Retry { at: b.now(), failure: a_failure() }] {
        let noisy = Settlement { output: Some("stale".to_owned()), ..settlement(&old, end) };
        let settled = b.store.settle(first, &[noisy]).await.expect("settles");
        assert_eq!(settled, Settled { lost: vec![(old.id, old.run)], ..Settled::default() });
    }
    assert_eq!(b.read(old.id).await, before);
    assert!(b.store.logs(&tenant(), old.id).await.expect("reads").iter().all(|log| log.output.is_none()));
    b.end(second, &new, a_success()).await;
}

/// What the rescue did is not what the worker says it did: its settlement is lost, also one that leads to the same state. // I3
pub async fn a_settlement_after_a_rescue_is_lost_whatever_it_says(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for max_attempts in [1, 2] {
        let (worker, claimed) = b.running_of(NewJob { max_attempts, ..b.job() }).await;
        f.advance(LEASE_OVER);
        b.rescue().await;
        let before = b.read(claimed.id).await;
        for end in [a_success(), a_death(), End::Cancelled, End::Retry { at: b.now(), failure: a_failure() }] {
            assert_eq!(b.settle(worker, &claimed, end).await.lost, [(claimed.id, 1)]);
        }
        assert_eq!(b.read(claimed.id).await, before);
    }
}

/// Nobody but the worker that runs the job may settle it, and only at the run it has. // I3
pub async fn a_settlement_needs_the_right_worker_and_run(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    let other = b.worker().await;
    let before = b.read(claimed.id).await;
    assert_eq!(b.settle(other, &claimed, a_success()).await.lost, [(claimed.id, 1)]);
    for run in [0, 2] {
        let wrong = Settlement { run, ..settlement(&claimed, a_success()) };
        assert_eq!(b.store.settle(worker, &[wrong]).await.expect("settles").lost, [(claimed.id, run)]);
    }
    assert_eq!(b.read(claimed.id).await, before);
}

/// In one call the lost are named and the others counted; an unknown job is lost.
pub async fn one_call_settles_the_good_and_names_the_lost(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    let jobs = b.queued_many(4).await;
    let claimed = b.claim(worker, &jobs).await;
    let unknown = b.mint.job(b.now());
    let calls = [
        settlement(&claimed[0], a_success()),
        Settlement { job: unknown, ..settlement(&claimed[0], a_success()) },
        settlement(&claimed[1], a_death()),
        Settlement { run: 9, ..settlement(&claimed[2], a_success()) },
        settlement(&claimed[3], End::Retry { at: b.now() + HOUR, failure: a_failure() }),
    ];
    let mut lost = b.store.settle(worker, &calls).await.expect("settles").lost;
    lost.sort_unstable();
    let mut expected = [(unknown, 1), (jobs[2], 9)];
    expected.sort_unstable();
    assert_eq!(lost, expected);
    let mut states = Vec::new();
    for id in jobs {
        states.push(b.state(id).await);
    }
    assert_eq!(states, [JobState::Succeeded, JobState::Dead, JobState::Running, JobState::Waiting]);
}

/// A worker whose lease is over may still settle what nobody rescued.
pub async fn settling_needs_no_live_lease(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, claimed) = b.running().await;
    f.advance(LEASE_OVER);
    b.end(worker, &claimed, a_success()).await;
    let rescued = b.rescue().await;
    assert_eq!((rescued.retried, rescued.dead, rescued.cancelled), (0, 0, 0));
    assert_eq!(b.state(claimed.id).await, JobState::Succeeded);
}

/// Settlements of many workers at once are all recorded.
pub async fn workers_settle_side_by_side(f: &mut dyn Fixture) {
    const WORKERS: usize = 12;
    let b = Bench::new(f).await;
    let barrier = Arc::new(Barrier::new(WORKERS));
    let mut calls = Vec::new();
    for n in 0..WORKERS {
        let worker = b.worker().await;
        let claimed = b.claim(worker, &b.queued_many(5).await).await;
        let end = if n % 2 == 0 { a_success() } else { a_death() };
        let ends: Vec<Settlement> = claimed.iter().map(|job| settlement(job, end.clone())).collect();
        let (store, barrier) = (Arc::clone(&b.store), Arc::clone(&barrier));
        calls.push(tokio::spawn(async move {
            barrier.wait().await;
            store.settle(worker, &ends).await.expect("settles")
        }));
    }
    for call in calls {
        assert_eq!(call.await.expect("no panic").lost, []);
    }
    for state in [JobState::Succeeded, JobState::Dead] {
        let ended = b.jobs(domain::JobFilter { state: Some(state), ..Default::default() }).await;
        assert_eq!(ended.len(), WORKERS * 5 / 2);
    }
}

/// No text that a handler can produce stops its settlement, or that of its neighbours.
pub async fn hostile_text_does_not_stop_a_settlement(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    let claimed = b.claim(worker, &b.queued_many(2).await).await;
    let text = || "nul \0, quote ' \" \\, bell \u{7}, rtl \u{202e}, bom \u{feff}, last \u{10ffff}".to_owned();
    let noisy = Settlement {
        logs: vec![LogLine { at: b.now(), level: "warn".to_owned(), message: text() }],
        output: Some(text()),
        progress: Some(Progress { percent: 1, message: Some(text()) }),
        ..settlement(&claimed[0], End::Dead { failure: Failure::permanent("odd", text()).with_hint(text()) })
    };
    let calls = [noisy, settlement(&claimed[1], a_success())];
    assert_eq!(b.store.settle(worker, &calls).await.expect("settles").lost, []);
    assert_eq!((b.state(claimed[0].id).await, b.state(claimed[1].id).await), (JobState::Dead, JobState::Succeeded));
    let plain = |text: &str| text.replace(['\0', '\u{fffd}'], "");
    let job = b.read(claimed[0].id).await;
    assert_eq!(plain(&job.error.expect("says why").message), plain(&text()));
    let logs = b.store.logs(&tenant(), claimed[0].id).await.expect("reads");
    assert_eq!(plain(&logs[0].lines[0].message), plain(&text()));
    assert_eq!(logs[0].output.as_deref().map(plain), Some(plain(&text())));
}

/// Each attempt's lines and output are kept with its run, in order; progress is the latest.
pub async fn attempts_keep_their_logs(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (worker, first) = b.running_of(NewJob { max_attempts: 5, ..b.job() }).await;
    let line = |message: &str| LogLine { at: b.now(), level: "info".to_owned(), message: message.to_owned() };
    let lines = [line("one"), line("zwei 🦀")];
    let end = End::Retry { at: b.now(), failure: a_failure() };
    let noisy = Settlement { logs: lines.to_vec(), output: Some("a\nb".to_owned()), ..settlement(&first, end) };
    for _ in 0..2 {
        b.store.settle(worker, std::slice::from_ref(&noisy)).await.expect("settles");
    }
    b.let_it_fall_due(f, first.id).await;
    let second = b.take(worker, first.id).await;
    let last = line("three");
    let progress = Some(Progress { percent: 100, message: None });
    let noisy = Settlement { logs: vec![last.clone()], progress: progress.clone(), ..settlement(&second, a_success()) };
    b.store.settle(worker, &[noisy]).await.expect("settles");
    let expected = [
        AttemptLog { run: 1, lines: lines.to_vec(), output: Some("a\nb".to_owned()) },
        AttemptLog { run: 2, lines: vec![last], output: None },
    ];
    assert_eq!(b.store.logs(&tenant(), first.id).await.expect("reads"), expected);
    assert_eq!(b.read(first.id).await.progress, progress);
}
