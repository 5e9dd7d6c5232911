//! What happens when an operator moves a job into another class?

use std::sync::Arc;

use domain::{JobState, NewJob, Priority, WaitingFor};
use tokio::sync::Barrier;

use super::Fixture;
use super::bench::Bench;
use super::ending::Ending;
use super::sample::{HOUR, PLENTY, SECOND, a_success, class, class_at, kind, listed, no_worker, operator, outsider, tenant};
use crate::{ActError, ClassNeed};

/// A queued job is emitted in its new class, can be claimed there, and no longer where it was. // I16
pub async fn a_queued_job_moves_into_another_class(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let (id, worker) = (b.queued().await, b.worker().await);
    let said = b.store.reprioritize(&operator(), id, Priority::Critical, None).await.expect("moves");
    assert_eq!((listed(&said.emissions), said.next_timer), (vec![id], None));
    assert_eq!(said.emissions[0].class, class_at(Priority::Critical));
    assert_eq!((said.job.state, said.job.priority), (JobState::Queued, Priority::Critical));
    assert_eq!(b.read(id).await, said.job);
    let depths = b.store.depths().await.expect("counts");
    assert_eq!(depths.iter().map(|depth| (depth.priority, depth.queued)).collect::<Vec<_>>(), [(Priority::Critical, 1)]);
    assert_eq!(b.claim(worker, &[id]).await, [], "its old hints are noise");
    let claim = b.claim_in(&class_at(Priority::Critical), worker, &[id]);
    let claimed = b.store.claim(&claim).await.expect("claims").jobs;
    assert_eq!(claimed.iter().map(|job| (job.id, job.priority)).collect::<Vec<_>>(), [(id, Priority::Critical)]);
    b.end(worker, &claimed[0], a_success()).await;
}

/// What the broker asks for is in the new class only, also after a restart.
pub async fn a_moved_job_is_sent_again_in_its_new_class(f: &mut dyn Fixture) {
    let mut b = Bench::new(f).await;
    let id = b.queued().await;
    b.store.reprioritize(&operator(), id, Priority::Bulk, None).await.expect("moves");
    f.restart().await;
    b.reopen(f);
    f.advance(HOUR);
    let due = async |class| {
        let needs = [ClassNeed { class, room: PLENTY }];
        listed(&b.store.emissions_due(&needs, PLENTY).await.expect("answers").emissions)
    };
    assert_eq!(due(class()).await, []);
    assert_eq!(due(class_at(Priority::Bulk)).await, [id]);
}

/// A waiting job keeps its time, and is emitted in its new class when that has come.
pub async fn a_waiting_job_keeps_its_time(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let at = b.now() + HOUR;
    let id = b.waiting_until(at).await;
    let said = b.store.reprioritize(&operator(), id, Priority::High, None).await.expect("moves");
    assert_eq!((said.emissions, said.next_timer), (vec![], None));
    assert_eq!((said.job.state, said.job.waiting_for, said.job.run_at), (JobState::Waiting, Some(WaitingFor::Time), at));
    f.advance(HOUR + SECOND);
    let promoted = b.promote().await;
    assert_eq!(listed(&promoted.emissions), [id]);
    assert_eq!(promoted.emissions[0].class, class_at(Priority::High));
}

/// A parked job goes on waiting for its key, in the place of its new priority.
pub async fn a_parked_job_keeps_its_key(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let ids = b.queued_many(3).await;
    b.store.park(&class(), &ids, &no_worker()).await.expect("parks");
    let said = b.store.reprioritize(&operator(), ids[2], Priority::Critical, None).await.expect("moves");
    assert_eq!((said.emissions.len(), said.job.waiting_for), (0, Some(WaitingFor::NoWorker)));
    b.worker_for(&[kind()]).await;
    let released = b.store.release(1).await.expect("releases");
    assert_eq!(listed(&released.emissions), [ids[2]], "the most important one comes first");
    assert_eq!(released.emissions[0].class, class_at(Priority::Critical));
    assert_eq!(b.release().await, ids[..2]);
}

/// To move a job where it is changes nothing and is no error; it is on record all the same.
pub async fn the_same_priority_changes_nothing(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    for id in [b.queued().await, b.waiting_until(b.now() + HOUR).await] {
        let (before, life) = (b.read(id).await, b.store.timeline(&tenant(), id).await.expect("reads"));
        let said = b.store.reprioritize(&operator(), id, Priority::Normal, None).await.expect("is no error");
        assert_eq!((said.emissions, said.next_timer, said.job), (vec![], None, before));
        assert_eq!(b.store.timeline(&tenant(), id).await.expect("reads"), life);
        assert_eq!(b.audit(&tenant()).await[0].target, id.to_string());
    }
}

/// What runs or has ended keeps its class. // I2
pub async fn what_runs_or_ended_keeps_its_class(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let mut ids = Vec::new();
    for ending in Ending::ALL {
        ids.push(ending.reach(&b, f, b.job()).await.0);
    }
    ids.push(b.running().await.1.id);
    for id in ids {
        let before = b.read(id).await;
        let answer = b.store.reprioritize(&operator(), id, Priority::High, None).await;
        assert!(matches!(answer, Err(ActError::Illegal(state)) if state == before.state), "{answer:?}");
        assert_eq!(b.read(id).await, before);
    }
}

/// An unknown job, or another tenant's, does not exist for any act. // I17
pub async fn a_foreign_job_cannot_be_steered(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let id = b.waiting_until(b.now() + HOUR).await;
    let before = b.read(id).await;
    for (by, id) in [(outsider(), id), (operator(), b.mint.job(b.now()))] {
        let (s, by) = (&b.store, &by);
        assert!(matches!(s.reprioritize(by, id, Priority::High, None).await, Err(ActError::NotFound)));
        assert!(matches!(s.reschedule(by, id, b.now() + SECOND, None).await, Err(ActError::NotFound)));
        assert!(matches!(s.run_now(by, id, None).await, Err(ActError::NotFound)));
    }
    assert_eq!(b.read(id).await, before);
    assert_eq!(b.audit(&tenant()).await, []);
}

/// Each act leaves its audit row and its timeline entry, with what was asked for, by whom and why. // I12
pub async fn acts_are_on_record(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let at = b.now() + HOUR;
    let id = b.queued().await;
    b.store.reprioritize(&operator(), id, Priority::High, Some("it is urgent")).await.expect("moves");
    b.store.reschedule(&operator(), id, at, Some("not today")).await.expect("puts off");
    b.store.run_now(&operator(), id, Some("today after all")).await.expect("queues");
    let life = b.store.timeline(&tenant(), id).await.expect("reads");
    let (queued, waiting) = (JobState::Queued, JobState::Waiting);
    let steps: Vec<_> = life.iter().map(|step| (step.from, step.to, step.waiting_for)).collect();
    let time = Some(WaitingFor::Time);
    assert_eq!(steps[1..], [(Some(queued), queued, None), (Some(queued), waiting, time), (Some(waiting), queued, None)]);
    let audit = b.audit(&tenant()).await;
    let actions: Vec<&str> = audit.iter().map(|row| row.action.as_str()).collect();
    assert_eq!(actions, ["job.run_now", "job.reschedule", "job.reprioritize"]);
    for (row, step) in audit.iter().zip(life.iter().rev()) {
        assert_eq!((row.target.as_str(), row.request_id.as_str(), row.actor.as_str()), (&*id.to_string(), "req-1", "ops"));
        assert_eq!((step.actor.as_str(), &step.data), ("key:ops", &row.data), "both books tell the same");
    }
    let data: Vec<serde_json::Value> = audit.iter().map(|row| said(row.data.as_ref())).collect();
    assert_eq!(data[0], serde_json::json!({ "reason": "today after all" }));
    assert_eq!(data[1], serde_json::json!({ "run_at": at, "reason": "not today" }));
    assert_eq!(data[2], serde_json::json!({ "priority": "high", "reason": "it is urgent" }));
}

fn said(data: Option<&String>) -> serde_json::Value {
    serde_json::from_str(data.expect("says what")).expect("JSON")
}

/// A move that comes together with a claim either comes first, and the claim finds nothing, or finds the job running.
pub async fn a_move_races_a_claim(f: &mut dyn Fixture) {
    let b = Bench::new(f).await;
    let worker = b.worker().await;
    for _ in 0..20 {
        let id = b.put(NewJob { max_attempts: 1, ..b.job() }).await;
        let (store, claim, barrier) = (Arc::clone(&b.store), b.claim_of(worker, &[id]), Arc::new(Barrier::new(2)));
        let gate = Arc::clone(&barrier);
        let claiming = tokio::spawn(async move {
            gate.wait().await;
            store.claim(&claim).await.expect("claims").jobs
        });
        barrier.wait().await;
        let answer = b.store.reprioritize(&operator(), id, Priority::High, None).await;
        let claimed = claiming.await.expect("no panic");
        match answer {
            Ok(said) => {
                assert_eq!((claimed.len(), listed(&said.emissions)), (0, vec![id]));
                assert_eq!((b.state(id).await, b.read(id).await.priority), (JobState::Queued, Priority::High));
            }
            Err(ActError::Illegal(JobState::Running)) => drop(b.end(worker, &claimed[0], a_success()).await),
            Err(error) => panic!("{error}"),
        }
    }
}
