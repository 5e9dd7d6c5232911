//! Is an act on many jobs done to each of them once, to no other, and told as it was?

use domain::{Act, DeadFilter, JobFilter, JobId, JobState, NewJob, Operation, OperationState, Priority, Target, Timestamp, WaitingFor};

use super::Fixture;
use super::bench::Bench;
use super::ending::Ending;
use super::sample::{DAY, HOUR, PLENTY, SECOND, a_failure, class, class_at, listed, no_worker, operator, outsider, stranger, tenant};
use crate::{End, Retention, Until};

const HIGH: Act = Act::Reprioritize { priority: Priority::High };

fn all() -> Target {
    Target::Jobs(JobFilter::default())
}

fn tagged(tag: &str) -> Target {
    Target::Jobs(JobFilter { tag: Some(tag.to_owned()), ..JobFilter::default() })
}

fn counts(operation: &Operation) -> (u64, u64, u64) {
    assert_eq!(operation.looked_at, operation.done + operation.skipped, "{operation:?}");
    (operation.looked_at, operation.done, operation.skipped)
}

/// Beginning records what was asked for and does nothing yet; beginning again, because the reply was lost, neither.
pub async fn beginning_an_operation_does_nothing_yet(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.queued().await;
    let before = b.read(id).await;
    let mut new = b.operation(HIGH, Target::Jobs(JobFilter { q: Some("mail".to_owned()), ..JobFilter::default() }));
    new.canary = Some(3);
    let begun = b.store.operation_begin(&operator(), &new).await.expect("begins");
    assert_eq!((begun.id, begun.act, &begun.target, &begun.reason, begun.canary), (new.id, new.act, &new.target, &new.reason, Some(3)));
    assert_eq!((begun.tenant.clone(), begun.actor.as_str(), begun.request_id.as_str()), (tenant(), "ops", "req-1"));
    assert_eq!((begun.state, counts(&begun), begun.error.clone()), (OperationState::Running, (0, 0, 0), None));
    assert!(begun.created_at <= b.now() && begun.updated_at == begun.created_at && begun.finished_at.is_none(), "{begun:?}");
    assert_eq!(b.store.operation_begin(&operator(), &new).await.expect("repeats"), begun);
    assert_eq!(b.read_operation(new.id).await, begun);
    assert_eq!(b.read(id).await, before);
    let audit = b.audit(&tenant()).await;
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert_eq!((audit[0].action.as_str(), &audit[0].target), ("operation.begin", &new.id.to_string()));
    let data: serde_json::Value = serde_json::from_str(audit[0].data.as_ref().expect("says what")).expect("JSON");
    assert_eq!((&data["action"], &data["priority"], &data["canary"]), (&"reprioritize".into(), &"high".into(), &3.into()));
    assert_eq!((&data["reason"], &data["target"]["jobs"]["q"]), (&"spring cleaning".into(), &"mail".into()));
}

/// A filter names the jobs it would list; to each it is done once, and their timelines name the operation. // I12, I16
pub async fn a_filter_names_the_jobs_it_would_list(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let red = |b: &Bench| NewJob { tags: vec!["red".to_owned()], ..b.job() };
    let mut named = Vec::new();
    for _ in 0..5 {
        named.push(b.put(red(&b)).await);
        b.queued().await;
    }
    let waiting = b.put(NewJob { run_at: Some(b.now() + HOUR), ..red(&b) }).await;
    let ended = Ending::Dead.reach(&b, f, red(&b)).await.0;
    let id = b.begin(&b.operation(HIGH, tagged("red"))).await;
    let steps = b.steps(PLENTY).await;
    let emitted: Vec<_> = steps.iter().flat_map(|step| step.emissions.clone()).collect();
    assert_eq!(listed(&emitted), named, "what waits is not listed");
    assert!(emitted.iter().all(|emission| emission.class == class_at(Priority::High)));
    let operation = b.read_operation(id).await;
    assert_eq!((operation.state, counts(&operation)), (OperationState::Succeeded, (7, 6, 1)));
    assert!(operation.finished_at.is_some_and(|at| at >= operation.created_at && at == operation.updated_at));
    assert_eq!(steps.last().map(|step| &step.operation), Some(&operation));
    for job in b.jobs(JobFilter::default()).await {
        let is_named = named.contains(&job.id) || job.id == waiting;
        assert_eq!(job.priority == Priority::High, is_named, "{job:?}");
        let life = b.store.timeline(&tenant(), job.id).await.expect("reads");
        let told = |step: &crate::TimelineEntry| step.data.as_ref().is_some_and(|data| data.contains(&id.to_string()));
        let told: Vec<_> = life.iter().filter(|step| told(step)).collect();
        assert_eq!(told.len(), usize::from(is_named), "{life:#?}");
        let says = |text: &str| told.iter().all(|step| step.data.as_ref().is_some_and(|data| data.contains(text)));
        assert!(told.iter().all(|step| step.actor == "key:ops") && says("cleaning") && says("high"), "{told:#?}");
    }
    let audit = b.audit(&tenant()).await;
    assert_eq!(audit.iter().map(|row| row.action.as_str()).collect::<Vec<_>>(), ["operation.end", "operation.begin"]);
    assert_eq!((audit[0].actor.as_str(), audit[0].request_id.as_str(), &audit[0].target), ("ops", "req-1", &id.to_string()));
    let data: serde_json::Value = serde_json::from_str(audit[0].data.as_ref().expect("says how")).expect("JSON");
    assert_eq!(data, serde_json::json!({ "state": "succeeded", "looked_at": 7, "done": 6, "skipped": 1 }));
    assert_ne!(b.state(ended).await, JobState::Queued);
}

/// Jobs named one by one count once each; those that are not there, or another tenant's, are skipped. // I17
pub async fn ids_that_name_nothing_are_skipped(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = b.queued_many(3).await;
    let foreign = NewJob { tenant: stranger(), ..b.job() };
    let foreign = b.put(foreign).await;
    let named = [ids[1], b.mint.job(b.now()), ids[0], foreign, ids[1]].to_vec();
    let operation = b.carry_out(Act::Cancel, Target::Ids(named)).await;
    assert_eq!((operation.state, counts(&operation)), (OperationState::Succeeded, (4, 2, 2)));
    assert_eq!(
        [b.state(ids[0]).await, b.state(ids[1]).await, b.state(ids[2]).await],
        [JobState::Cancelled, JobState::Cancelled, JobState::Queued]
    );
    let theirs = b.store.job(&stranger(), foreign).await.expect("reads").expect("is there");
    assert_eq!(theirs.state, JobState::Queued);
    let nothing = b.carry_out(Act::Cancel, Target::Ids(Vec::new())).await;
    assert_eq!((nothing.state, counts(&nothing)), (OperationState::Succeeded, (0, 0, 0)));
}

/// Dead letters name the jobs that died so; replayed, they are dead no more.
pub async fn dead_letters_are_replayed_by_what_they_died_of(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut lost = Vec::new();
    for _ in 0..3 {
        lost.push(Ending::DeadByRescue.reach(&b, f, b.job()).await.0);
        Ending::Dead.reach(&b, f, b.job()).await;
    }
    let filter = DeadFilter { reason: Some("worker_lost".to_owned()), ..DeadFilter::default() };
    let id = b.begin(&b.operation(Act::Retry, Target::Dead(filter.clone()))).await;
    let steps = b.steps(2).await;
    let emitted: Vec<_> = steps.iter().flat_map(|step| step.emissions.clone()).collect();
    assert_eq!((listed(&emitted), counts(&b.read_operation(id).await)), (lost.clone(), (3, 3, 0)));
    assert_eq!(b.jobs(JobFilter { state: Some(JobState::Dead), ..JobFilter::default() }).await.len(), 3, "the others stay");
    assert_eq!(b.crash_all(f, &lost).await, 3);
    let again = b.carry_out(Act::Retry, Target::Dead(filter)).await;
    assert_eq!(counts(&again), (3, 3, 0), "a second death is another one");
}

/// What comes after the beginning is left alone: jobs that are submitted, and deaths.
pub async fn what_comes_later_is_left_alone(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (before, early) = (b.queued_many(4).await, Ending::Dead.reach(&b, f, b.job()).await.0);
    let dead = Target::Dead(DeadFilter::default());
    let begun = [b.begin(&b.operation(HIGH, all())).await, b.begin(&b.operation(Act::Retry, dead)).await];
    b.step(2).await.expect("the first step");
    f.advance(SECOND);
    let (after, late) = (b.queued_many(4).await, Ending::Dead.reach(&b, f, b.job()).await.0);
    b.steps(2).await;
    assert_eq!(counts(&b.read_operation(begun[0]).await), (5, 4, 1));
    assert_eq!(counts(&b.read_operation(begun[1]).await), (1, 1, 0));
    for (ids, priority) in [(before, Priority::High), (after, Priority::Normal)] {
        for id in ids {
            assert_eq!(b.read(id).await.priority, priority);
        }
    }
    assert_eq!((b.state(early).await, b.state(late).await), (JobState::Queued, JobState::Dead));
}

/// One job in each state that acts tell apart, each under the tag, and what becomes of them.
async fn one_of_each(b: &Bench, f: &dyn Fixture, tag: &str) -> Vec<JobId> {
    let job = || NewJob { tags: vec![tag.to_owned()], ..b.job() };
    let mut ids = Vec::new();
    for ending in [Ending::Succeeded, Ending::Dead, Ending::CancelledQueued, Ending::ExpiredByPromoter] {
        ids.push(ending.reach(b, f, job()).await.0);
    }
    ids.extend([b.put(job()).await, b.put(NewJob { run_at: Some(b.now() + HOUR), ..job() }).await]);
    let parked = b.put(job()).await;
    b.store.park(&class(), &[parked], &no_worker()).await.expect("parks");
    let (worker, retried) = b.running_of(job()).await;
    b.end(worker, &retried, End::Retry { at: b.now() + HOUR, failure: a_failure() }).await;
    let (worker, limited) = b.running_of(job()).await;
    let until = Until::Time { at: b.now() + HOUR, reason: WaitingFor::RateLimit };
    b.end(worker, &limited, End::Deferred { until, failure: None }).await;
    ids.extend([parked, retried.id, limited.id, b.running_of(job()).await.1.id]);
    ids
}

/// Every act is done to those that allow it, and skips the others. // I2
pub async fn every_act_skips_those_that_do_not_allow_it(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let later = b.now() + DAY;
    let rows = [
        ("cancel", Act::Cancel, 6),
        ("retry", Act::Retry, 3),
        ("move", HIGH, 5),
        ("later", Act::Reschedule { run_at: later }, 4),
        ("past", Act::Reschedule { run_at: Timestamp::from_micros(1) }, 3),
        ("now", Act::RunNow, 3),
    ];
    for (tag, act, done) in rows {
        let ids = one_of_each(&b, f, tag).await;
        let running = *ids.last().expect("one runs");
        let id = b.begin(&b.operation(act, tagged(tag))).await;
        let steps = b.steps(PLENTY).await;
        let operation = b.read_operation(id).await;
        assert_eq!(counts(&operation), (10, done, 10 - done), "{tag}");
        let asked: Vec<JobId> = steps.iter().flat_map(|step| step.asked.clone()).collect();
        assert_eq!(asked, if tag == "cancel" { vec![running] } else { vec![] }, "{tag}");
        assert_eq!(b.read(running).await.cancel_requested, tag == "cancel");
        let timers: Vec<Timestamp> = steps.iter().filter_map(|step| step.next_timer).collect();
        assert_eq!(timers, if tag == "later" { vec![later] } else { vec![] }, "{tag}");
        let again = b.carry_out(act, Target::Ids(ids)).await;
        assert_eq!(counts(&again), (10, 0, 10), "{tag}: it is as asked for already");
    }
}

/// Operations and what they touch are a tenant's own; they are listed newest first. // I17, I7
pub async fn operations_are_the_tenants_own(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (ours, theirs) = (b.queued().await, b.put(NewJob { tenant: stranger(), ..b.job() }).await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, b.begin(&b.operation(HIGH, all())).await);
        f.advance(SECOND);
    }
    let foreign = b.store.operation_begin(&outsider(), &b.operation(Act::Cancel, all())).await.expect("begins").id;
    b.steps(PLENTY).await;
    let listed = |operations: Vec<Operation>| operations.into_iter().map(|operation| operation.id).collect::<Vec<_>>();
    assert_eq!(listed(b.store.operations(&tenant(), 9).await.expect("lists")), ids);
    assert_eq!(listed(b.store.operations(&tenant(), 2).await.expect("lists")), ids[..2]);
    assert_eq!(listed(b.store.operations(&stranger(), 9).await.expect("lists")), [foreign]);
    assert_eq!(b.store.operation(&tenant(), foreign).await.expect("reads"), None);
    assert_eq!(b.store.operation(&stranger(), ids[0]).await.expect("reads"), None);
    assert_eq!((b.read(ours).await.priority, b.state(ours).await), (Priority::High, JobState::Queued));
    let theirs = b.store.job(&stranger(), theirs).await.expect("reads").expect("is there");
    assert_eq!((theirs.priority, theirs.state), (Priority::Normal, JobState::Cancelled));
}

/// What was done long ago is shown no longer; what is not over is never forgotten.
pub async fn operations_are_shown_for_a_while(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let over = b.carry_out(HIGH, all()).await.id;
    let open = b.begin(&b.operation(HIGH, all())).await;
    let retain = async || b.store.retain(&Retention::default(), PLENTY).await.expect("retains");
    f.advance(domain::bounds::OPERATIONS_KEPT - HOUR);
    retain().await;
    assert_eq!(b.read_operation(over).await.state, OperationState::Succeeded);
    f.advance(HOUR * 2);
    retain().await;
    assert_eq!(b.store.operation(&tenant(), over).await.expect("reads"), None);
    assert_eq!(b.read_operation(open).await.state, OperationState::Running);
    b.steps(PLENTY).await;
    assert_eq!(b.read_operation(open).await.state, OperationState::Succeeded);
}
