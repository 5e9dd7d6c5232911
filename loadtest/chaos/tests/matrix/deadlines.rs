//! A job's time is up: its worker says so, asks, waits a little and aborts. Nobody else acts on age, however long a job runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use chaos::fleet::{SOON, Urls};
use chaos::fresh_servers;
use chaos::measured;
use chaos::orders::{job, plain};
use chaos::stage::Stage;

const ROW: &str = "deadline";
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a handler may take to heed being asked.
const GRACE: Duration = Duration::from_secs(5);
/// More than three leases.
const LONG_MS: u64 = 65_000;
const LONG_WITHIN: Duration = Duration::from_secs(100);

/// I3: the worker settles `timeout`, the rescuer nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_are_the_workers_and_age_is_nobodys() {
    let servers = fresh_servers!();
    let stage = Stage::on(&Urls::of(&servers)).await;
    let worker = stage.fleet.chaos_worker(5, &[]).await;
    let long = stage.order(&[plain(LONG_MS)]).await;
    stage.running(&long).await;
    let short = |kind: &str| {
        let mut job = job(kind, &json!({ "ms": LONG_MS }));
        job["timeout"] = json!("2s");
        job["max_attempts"] = json!(1);
        job
    };
    let began = Instant::now();
    let jobs = stage.order(&[short("plain"), short("deaf")]).await;
    let is_over = |job: &Value| job["state"] == "dead";
    let heeds = stage.until("who heeds it is over", &jobs[..1], SOON, is_over).await;
    measured(ROW, "a timeout of 2 s that is heeded, settled", began.elapsed());
    let deaf = stage.until("who does not is aborted", &jobs[1..], SOON, is_over).await;
    assert!(began.elapsed() >= TIMEOUT + GRACE, "not before its grace was over: {:?}", began.elapsed());
    measured(ROW, "a timeout of 2 s that is not heeded, settled", began.elapsed());
    for job in heeds.iter().chain(&deaf) {
        assert_eq!((&job["error"]["code"], &job["error"]["class"], &job["crashes"]), (&json!("timeout"), &json!("timeout"), &json!(0)));
        let id = job["id"].as_str().expect("an id");
        let ends = stage.steps_by(id, "worker:").await;
        assert!(ends.iter().any(|step| step["to"] == "dead"), "its worker said so: {ends:?}");
    }

    let done = stage.succeeded(&long, LONG_WITHIN).await.remove(0);
    assert_eq!((&done["run"], &done["attempt"], &done["crashes"]), (&json!(1), &json!(1), &json!(0)), "{done:#}");
    let rescues = stage.scheduler.metric_of("flotilla_duty_items_total", "what=\"workers\"").await;
    let acted = stage.scheduler.metric_of("flotilla_duty_runs_total", "duty=\"rescue\"").await
        - stage.scheduler.metric_of("flotilla_duty_items_total", "what=\"quiet\"").await;
    assert!(acted >= 5.0 && rescues == 0.0, "the rescuer looked {acted} times and found {rescues} dead");
    stage.stop([worker]).await;
}
