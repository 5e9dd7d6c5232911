//! Does a database that an earlier version left behind open, with everything that is in it?

use std::path::Path;

use domain::{Act, DeadFilter, JobId, JobState, Priority, Target, Timestamp, WaitingFor};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, SqlSafeStr as _};
use store::DeadPage;
use store::contract::bench::Bench;
use store::contract::sample::{PLENTY, kind, listed, operator, queue, tenant};
use testkit::Scratch;

use crate::dump;
use crate::fixture::{SqliteFixture, open};

/// What a fleet on the first number left: a queued, a waiting, a parked and a dead job, with what belongs to them.
const LEFT_BEHIND: &str = include_str!("../data/0001.sql");

async fn at_number_one(path: &Path) {
    let mut connection = SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.expect("connects");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/sqlite/0001_core.sql");
    let core = AssertSqlSafe(std::fs::read_to_string(file).expect("the file")).into_sql_str();
    let core = Migration::new(1, "core".into(), MigrationType::Simple, core, false);
    Migrator::with_migrations(vec![core]).run_direct(None, &mut connection, false).await.expect("migrates");
    connection.execute(LEFT_BEHIND).await.expect("fills");
    connection.close().await.expect("closes");
}

fn id(n: u8) -> JobId {
    format!("0192f0c1-7b1e-7cc3-98c4-dc0c0c0739{n:02}").parse().expect("an id")
}

#[tokio::test]
async fn data_of_the_first_number_opens_and_lives_on() {
    let scratch = Scratch::new();
    let path = scratch.join("flotilla.db");
    at_number_one(&path).await;
    let store = open(path.clone()).await;
    let states = |jobs: Vec<domain::Job>| jobs.into_iter().map(|job| (job.state, job.waiting_for)).collect::<Vec<_>>();
    let all = [id(1), id(2), id(3), id(4)];
    let waiting = |reason| (JobState::Waiting, Some(reason));
    let expected = [(JobState::Queued, None), waiting(WaitingFor::Time), waiting(WaitingFor::NoWorker), (JobState::Dead, None)];
    let jobs = store::Reports::jobs_by_id(&*store, &tenant(), &all).await.expect("reads");
    assert_eq!(states(jobs), expected);
    let f = SqliteFixture::of(scratch, store);
    let b = Bench::new(&f).await;
    assert_eq!((b.read(id(1)).await.kind, b.read(id(1)).await.queue), (kind(), queue()));
    assert_eq!(b.audit(&tenant()).await.len(), 1);
    let letters = b.store.dead_letters(&tenant(), &DeadPage { limit: 9, ..DeadPage::default() }).await.expect("lists").dead_letters;
    assert_eq!(letters.iter().map(|letter| (letter.job, letter.message.as_str())).collect::<Vec<_>>(), [(id(4), "no such mailbox")]);
    assert_eq!(b.store.throughput(Timestamp::default()).await.expect("reads"), [], "nobody counted then");

    let moved = b.carry_out(Act::Reprioritize { priority: Priority::High }, Target::Ids(all.to_vec())).await;
    assert_eq!((moved.done, moved.skipped), (3, 1));
    let replay = b.begin(&b.operation(Act::Retry, Target::Dead(DeadFilter::default()))).await;
    let steps = b.steps(PLENTY).await;
    assert_eq!((listed(&steps[0].emissions), b.read_operation(replay).await.done), (vec![id(4)], 1));
    assert_eq!(b.store.run_now(&operator(), id(2), None).await.expect("queues").job.state, JobState::Queued);
    assert_eq!(dump::violations(&path).await, Vec::<String>::new());
    assert!(b.store.now() > Timestamp::default());
}
