//! Do the first jobs of an operation go ahead, and decide about the rest?

use domain::bounds::{CANARIES_LOOK_EVERY, CANARIES_WAIT_MAX};
use domain::{Act, DeadFilter, JobId, JobState, NewJob, OperationId, OperationState, Target};

use super::Fixture;
use super::bench::Bench;
use super::ending::Ending;
use super::sample::{DAY, HOUR, PLENTY, SECOND, a_death, a_success, listed, tenant};
use crate::{End, Retention};

/// So many dead jobs, oldest first, and a replay of all of them with so many canaries.
async fn replay(b: &Bench, f: &dyn Fixture, dead: usize, canary: u32) -> (Vec<JobId>, OperationId) {
    let mut ids = Vec::new();
    for _ in 0..dead {
        ids.push(Ending::Dead.reach(b, f, b.job()).await.0);
    }
    let mut new = b.operation(Act::Retry, Target::Dead(DeadFilter::default()));
    new.canary = Some(canary);
    (ids, b.begin(&new).await)
}

/// Lets the time pass until canaries are looked at again.
fn look_again(f: &dyn Fixture) {
    f.advance(CANARIES_LOOK_EVERY);
}

async fn finish(b: &Bench, id: JobId, end: End) {
    let worker = b.worker().await;
    let claimed = b.take(worker, id).await;
    b.end(worker, &claimed, end).await;
}

/// So many go ahead and no more; when all of them have succeeded, the rest follows.
pub async fn canaries_go_ahead_and_the_rest_follows(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (ids, operation) = replay(&b, f, 7, 2).await;
    let first = b.step(PLENTY).await.expect("the canaries");
    assert_eq!(listed(&first.emissions), ids[5..]);
    assert_eq!((first.operation.state, first.operation.done, first.waits), (OperationState::Canary, 2, false));
    assert!(b.step(PLENTY).await.is_none_or(|step| step.waits), "they were sent on their way just now");
    for id in &ids[5..] {
        look_again(f);
        let step = b.step(PLENTY).await.expect("it looks");
        assert_eq!((step.waits, step.emissions.len(), step.operation.state), (true, 0, OperationState::Canary));
        finish(&b, *id, a_success()).await;
    }
    look_again(f);
    let steps = b.steps(PLENTY).await;
    assert!(steps.iter().all(|step| !step.waits), "{steps:#?}");
    let rest: Vec<_> = steps.into_iter().flat_map(|step| step.emissions).collect();
    assert_eq!(listed(&rest), ids[..5]);
    let end = b.read_operation(operation).await;
    assert_eq!((end.state, end.looked_at, end.done, end.error), (OperationState::Succeeded, 7, 7, None));
}

/// A canary that did not succeed halts the operation: the rest stays as it was, and the operator is told which and why.
pub async fn a_dead_canary_halts_the_operation(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (ids, operation) = replay(&b, f, 5, 2).await;
    b.steps(PLENTY).await;
    finish(&b, ids[4], a_success()).await;
    finish(&b, ids[3], a_death()).await;
    look_again(f);
    let halted = b.step(PLENTY).await.expect("it looks").operation;
    assert_eq!((halted.id, halted.state, halted.done, halted.skipped), (operation, OperationState::Halted, 2, 0));
    let error = halted.error.clone().expect("says why");
    assert_eq!(error, format!("canary {} is dead: http_404 (no such mailbox)", ids[3]));
    assert!(halted.finished_at.is_some());
    f.advance(HOUR);
    assert_eq!((b.step(PLENTY).await, b.read_operation(operation).await), (None, halted));
    for id in &ids[..3] {
        assert_eq!(b.state(*id).await, JobState::Dead);
    }
    let audit = b.audit(&tenant()).await;
    let data = audit[0].data.as_deref().unwrap_or_default();
    assert!(audit[0].action == "operation.end" && data.contains("halted") && data.contains("http_404"), "{:?}", audit[0]);
}

/// A canary that somebody cancels did not succeed either.
pub async fn a_cancelled_canary_halts_the_operation(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (ids, operation) = replay(&b, f, 2, 1).await;
    b.steps(PLENTY).await;
    b.cancel(ids[1]).await.expect("cancels");
    look_again(f);
    b.steps(PLENTY).await;
    let halted = b.read_operation(operation).await;
    assert_eq!((halted.state, halted.error), (OperationState::Halted, Some(format!("canary {} is cancelled", ids[1]))));
}

/// Canaries that do not end in time halt the operation; until then it waits.
pub async fn canaries_that_never_end_halt_the_operation(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (ids, operation) = replay(&b, f, 3, 1).await;
    b.steps(PLENTY).await;
    f.advance(CANARIES_WAIT_MAX - SECOND * 30);
    assert!(b.step(PLENTY).await.expect("it looks").waits);
    f.advance(SECOND * 31);
    b.steps(PLENTY).await;
    let halted = b.read_operation(operation).await;
    let error = format!("the canaries did not end within 1h: {} is queued", ids[2]);
    assert_eq!((halted.state, halted.error), (OperationState::Halted, Some(error)));
}

/// A canary that is deleted before anybody looked is not known to have succeeded.
pub async fn a_canary_that_is_gone_halts_the_operation(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (ids, operation) = replay(&b, f, 2, 1).await;
    b.steps(PLENTY).await;
    finish(&b, ids[1], a_success()).await;
    f.advance(SECOND * 2);
    let kept = Retention { succeeded: SECOND, dead: DAY, stopped: DAY };
    assert_eq!(b.store.retain(&kept, PLENTY).await.expect("retains").jobs, 1);
    b.steps(PLENTY).await;
    let halted = b.read_operation(operation).await;
    assert_eq!((halted.state, halted.error), (OperationState::Halted, Some(format!("canary {} is gone", ids[1]))));
}

/// Where no more than the canaries are to be done, nothing waits for them.
pub async fn a_small_target_needs_no_canaries(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for (dead, canary) in [(2, 5), (3, 3)] {
        let (ids, operation) = replay(&b, f, dead, canary).await;
        b.steps(PLENTY).await;
        let end = b.read_operation(operation).await;
        assert_eq!((end.state, end.done), (OperationState::Succeeded, ids.len() as u64), "{dead} with {canary}");
        for id in ids {
            b.cancel(id).await.expect("it is queued");
        }
    }
}

/// Only jobs to which it was done are canaries; those that are skipped on the way send nobody ahead.
pub async fn skipped_jobs_are_no_canaries(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut ids = vec![b.put(NewJob { run_at: Some(b.now() + HOUR), ..b.job() }).await];
    for _ in 0..3 {
        ids.push(Ending::Succeeded.reach(&b, f, b.job()).await.0);
    }
    ids.push(b.put(NewJob { run_at: Some(b.now() + HOUR), ..b.job() }).await);
    for _ in 0..3 {
        ids.push(Ending::Succeeded.reach(&b, f, b.job()).await.0);
    }
    let mut new = b.operation(Act::RunNow, Target::Ids(ids.clone()));
    new.canary = Some(1);
    let operation = b.begin(&new).await;
    let steps = b.steps(2).await;
    let ahead: Vec<_> = steps.iter().flat_map(|step| step.emissions.clone()).collect();
    assert_eq!(listed(&ahead), [ids[4]]);
    assert_eq!(b.read_operation(operation).await.state, OperationState::Canary);
    finish(&b, ids[4], a_success()).await;
    look_again(f);
    b.steps(2).await;
    let end = b.read_operation(operation).await;
    assert_eq!((end.state, end.done, end.skipped), (OperationState::Succeeded, 2, 6));
}

/// Who waits for canaries holds up nobody.
pub async fn others_get_on_while_canaries_run(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (_, waiting) = replay(&b, f, 4, 1).await;
    b.steps(PLENTY).await;
    look_again(f);
    let id = b.put(NewJob { run_at: Some(b.now() + HOUR), ..b.job() }).await;
    let other = b.carry_out(Act::Cancel, Target::Ids(vec![id])).await;
    assert_eq!((other.state, b.state(id).await), (OperationState::Succeeded, JobState::Cancelled));
    assert_eq!(b.read_operation(waiting).await.state, OperationState::Canary);
}
