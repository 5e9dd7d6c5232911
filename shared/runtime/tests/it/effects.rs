//! Effects happen once, or a person decides. I6.

use domain::{JobState, WaitingFor};
use kinds::Kind;
use store::Intake;

use crate::fleet::{Fleet, me};
use crate::player::SOON;
use crate::script::{Careful, Checked, Step, payload};

#[tokio::test]
async fn a_confirmed_effect_is_not_made_again() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::EffectThenFail, Step::Effect])).await;
    assert_eq!(fleet.reaches(id, JobState::Succeeded).await.attempt, 2);
    assert_eq!(*fleet.log.effects.lock(), vec![id.to_string()]);
    worker.stop().await;
}

#[tokio::test]
async fn an_unknown_effect_is_repeated_under_the_same_key_where_its_kind_says_so() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.script(&[Step::EffectUnknown, Step::Effect])).await;
    fleet.reaches(id, JobState::Succeeded).await;
    assert_eq!(*fleet.log.effects.lock(), vec![id.to_string(), id.to_string()]);
    worker.stop().await;
}

#[tokio::test]
async fn an_unknown_effect_of_a_careful_kind_waits_for_a_person() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.job(Careful::NAME, &payload(&[Step::EffectUnknown, Step::Effect]))).await;
    let job = testkit::eventually("it waits for a person", SOON, async || {
        fleet.promote().await;
        Some(fleet.get(id).await).filter(|job| job.waiting_for == Some(WaitingFor::Signal))
    })
    .await;
    assert_eq!((job.state, job.error.map(|error| error.code)), (JobState::Waiting, Some("effect_unknown".to_owned())));
    assert_eq!(fleet.log.effects.lock().len(), 1, "not repeated blindly");
    worker.stop().await;
}

#[tokio::test]
async fn an_unknown_effect_is_verified_first_where_its_kind_can() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(fleet.job(Checked::NAME, &payload(&[Step::EffectUnknown, Step::Effect]))).await;
    fleet.reaches(id, JobState::Succeeded).await;
    let key = id.to_string();
    assert_eq!(*fleet.log.verified.lock(), vec![key.clone()], "the second time, and only then");
    assert_eq!(*fleet.log.effects.lock(), vec![key.clone(), key]);
    worker.stop().await;
}

#[tokio::test]
async fn an_edited_replay_has_effects_of_its_own() {
    let fleet = Fleet::new().await;
    let worker = fleet.worker();
    let id = fleet.submit(domain::NewJob { max_attempts: 1, ..fleet.script(&[Step::EffectThenFail]) }).await;
    fleet.reaches(id, JobState::Dead).await;
    let edited = r#"{"steps":["effect"]}"#;
    let replay = fleet.store.retry(&me(), id, Some(edited.into())).await.expect("replayed");
    broker::Publisher::publish(&fleet.broker, &replay.emissions).await.expect("published");
    fleet.reaches(id, JobState::Succeeded).await;
    assert_eq!(*fleet.log.effects.lock(), vec![id.to_string(), format!("{id}.r1")]);
    worker.stop().await;
}
