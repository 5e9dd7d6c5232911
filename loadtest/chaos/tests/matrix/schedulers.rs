//! Three schedulers whose clocks are seconds apart, one of them stopped for a minute, and the database restarts in between: does any
//! delayed job come twice, too early, or not at all?
//!
//! What falls due here are delays and times of submissions. Schedules that fire again and again come later, with rows of their own.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flotilla_client::Client;
use serde_json::json;
use testkit::servers::{self, Database, PrivatePostgres, Stop};
use testkit::{NO_FAKETIME, clock_off_by, eventually, faketime, hold, skip};

use chaos::fleet::{Fleet, SOON, Urls, default_secret, ids};
use chaos::judge::Judge;
use chaos::measured;
use chaos::process::Process;
use chaos::stage::done;

/// Of the schedulers' hosts, against the database's.
const OFF_BY_SECS: [i64; 3] = [-5, 0, 5];
const STOPPED_FOR: Duration = Duration::from_secs(60);
/// One job of each sort falls due in each of these seconds.
const SECONDS: u32 = 60;
/// Times are named before the jobs are there, and none may have passed then, however long a busy machine takes.
const AHEAD_SECS: u32 = 10;
/// After the stop began: the others carry on alone for a while, then the database restarts under them.
const RESTART_AFTER: Duration = Duration::from_secs(15);
const SLOTS: u32 = 20;
/// A promotion looks each second; but what the stopped one had queued and not yet told the broker is sent by another, 7 s later at the
/// latest (failure matrix: a process dies after its commit). The rest is the machine's.
const LATE_MAX: Duration = Duration::from_secs(10);
/// From the return of the database (queue-core, failure matrix).
const RESUMES_WITHIN: Duration = Duration::from_secs(10);

/// I9, I16: duties need no leader, no clock of their own and no company.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delayed_jobs_come_once_and_in_time_whatever_becomes_of_schedulers() {
    let Some(library) = faketime() else { skip!("faketime", NO_FAKETIME) };
    let (Some(rabbit), Some(redis)) = (servers::rabbitmq(), servers::redis()) else { skip!("rabbitmq", servers::HOW) };
    let Some(postgres) = PrivatePostgres::start().await else { skip!("postgres", "PostgreSQL is not installed") };
    let (database, vhost) = (postgres.server().fresh_database().await, rabbit.fresh_vhost().await);
    let urls = Urls { database: database.url(), broker: vhost.url(), redis: redis.url() };
    let fleet = Fleet::found(&urls);
    let producer = fleet.producer().await;
    let client = fleet.client(&producer);
    let mut judge = Judge::start(fleet.path(), &default_secret(&client).await);
    let mut schedulers = Vec::new();
    for seconds in OFF_BY_SECS {
        schedulers.push(fleet.start("scheduler", &clock_off_by(&library, seconds)).await);
    }
    let worker = fleet.worker(SLOTS).await;
    eventually("each has its turns", SOON, async || promotes(&schedulers, [1.0; 3]).await).await;
    let jobs = delayed(&client, &judge.url("/ok"), &database).await;

    schedulers[1].guard.signal("STOP");
    let stopped = Instant::now();
    hold(RESTART_AFTER, "one scheduler is stopped and the others go on").await;
    let away = restart(&postgres, &database).await;
    hold(STOPPED_FOR.saturating_sub(stopped.elapsed()), "one scheduler is stopped for a minute").await;
    schedulers[1].guard.signal("CONT");
    let before = turns(&schedulers).await;
    done(&database, jobs.len(), SOON * 2).await;
    eventually("all three have their turns again", SOON, async || promotes(&schedulers, before.map(|turns| turns + 2.0)).await).await;
    let costly = database.ask("select run, attempt, crashes, count(*) from job group by 1, 2, 3").await;
    assert_eq!(costly, [["1", "1", "0", &jobs.len().to_string()]], "run, attempt, crashes, jobs");
    assert!(judge.accepted().keys().eq(&jobs), "{} jobs were delivered", judge.count());
    assert!(judge.accepted().values().all(|accepted| accepted.times == 1), "something was delivered twice");
    let promoted = database.ask("select count(*), count(distinct job_id) from job_event where actor = 'duty:promote'").await;
    assert_eq!(promoted, [vec![jobs.len().to_string(); 2]], "promotions, promoted jobs");
    in_time(&database, away).await;
    for process in schedulers.into_iter().chain([producer, worker]) {
        process.stop().await;
    }
}

/// Jobs by `delay` and by `run_at`, one each for every second of a minute.
async fn delayed(client: &Client, url: &str, database: &Database) -> BTreeSet<String> {
    let at = format!(
        "select to_char(now() at time zone 'utc' + (second + {AHEAD_SECS}) * interval '1 second', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')
         from generate_series(1, {SECONDS}) second order by second"
    );
    let mut jobs = Vec::new();
    for (second, at) in (1..=SECONDS).zip(database.ask(&at).await) {
        let job = |due: (&str, &str)| json!({ "kind": "webhooks.deliver", due.0: due.1, "payload": { "url": url, "data": second } });
        jobs.extend([job(("delay", &format!("{}s", second + AHEAD_SECS))), job(("run_at", &at[0]))]);
    }
    assert_eq!(jobs.len(), 2 * SECONDS as usize);
    let made = client.post("/v1/jobs/batch", &json!({ "jobs": jobs })).await.expect("accepted").body;
    ids(&made).into_iter().collect()
}

/// When the database was away, by its own clock, in microseconds: from the crash until everybody must have found back.
async fn restart(postgres: &PrivatePostgres, database: &Database) -> (i64, i64) {
    let from = database.ask("select flotilla_now()").await[0][0].parse().expect("a number");
    postgres.stop(Stop::AtOnce).await;
    postgres.restart().await;
    let back: i64 = database.ask("select flotilla_now()").await[0][0].parse().expect("a number");
    (from, back + i64::try_from(RESUMES_WITHIN.as_micros()).expect("it fits"))
}

/// How often each scheduler has looked for what is due.
async fn turns(schedulers: &[Process]) -> [f64; 3] {
    let mut turns = [0.0; 3];
    for (turns, scheduler) in turns.iter_mut().zip(schedulers) {
        let (_, text) = scheduler.get("/metrics").await.unwrap_or_default();
        let is_it = |line: &&str| line.starts_with("flotilla_duty_runs_total{duty=\"promote\",result=\"ok\"}");
        *turns = text.lines().find(is_it).and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0);
    }
    turns
}

async fn promotes(schedulers: &[Process], wanted: [f64; 3]) -> Result<(), String> {
    let found = turns(schedulers).await;
    let are_enough = found.iter().zip(wanted).all(|(found, wanted)| *found >= wanted);
    if are_enough { Ok(()) } else { Err(format!("{found:?}")) }
}

/// By the database's clock: nothing before its time, and nothing much later, but for what fell due while the database was away.
async fn in_time(database: &Database, (from, until): (i64, i64)) {
    let early = database.count("select count(*) from job where started_at < run_at").await;
    assert_eq!(early, 0, "nothing comes before its time");
    let late = format!("select max(started_at - run_at) from job where not (run_at between {from} and {until})");
    let late = Duration::from_micros(database.count(&late).await);
    let kept_waiting = Duration::from_micros(database.count("select max(started_at - run_at) from job").await);
    measured("schedulers", "latest start of a delayed job, one of three schedulers stopped, clocks 5 s apart", late);
    measured("schedulers", "latest start of a delayed job while the database restarted", kept_waiting);
    assert!(late <= LATE_MAX, "{late:?}");
}
