//! How does a test order jobs of the laboratory's kinds, and how does it wait for what becomes of them?

use std::time::Duration;

use serde_json::{Value, json};
use testkit::{eventually, within};
use tokio::time::interval;

use crate::fleet::{Fleet, SOON, ids};
use crate::judge::Judge;
use crate::process::Process;
use crate::stage::Stage;

/// Of jobs that are to outlast faults; the API's own words.
const LONG: &str = "10m";
/// How often jobs that are waited for are looked at: a wait may be a minute long.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Passes of the rescuer, one each second, until a lease that is not renewed from now on ends after the rescuer's quiet time.
const QUIET_PASSES: f64 = 24.0;

/// A job of a kind of ours.
pub fn job(kind: &str, payload: &Value) -> Value {
    json!({ "kind": format!("chaos.{kind}"), "payload": payload, "timeout": LONG })
}

/// Takes so many milliseconds.
pub fn plain(ms: u64) -> Value {
    job("plain", &json!({ "ms": ms }))
}

/// Makes an effect under a policy's kind - `repeat`, `verify`, `hold` - which the judge answers so late.
pub fn effect(kind: &str, judge: &Judge, answer_ms: u64) -> Value {
    job(kind, &json!({ "judge": judge.url(""), "answer_ms": answer_ms }))
}

/// One that is confirmed at once, in a job that goes on for so long.
pub fn early_effect(kind: &str, judge: &Judge, after_ms: u64) -> Value {
    job(kind, &json!({ "judge": judge.url(""), "after_ms": after_ms }))
}

/// One that its first run begins when it is asked to stop.
pub fn late_effect(kind: &str, judge: &Judge) -> Value {
    job(kind, &json!({ "judge": judge.url(""), "too_late": true }))
}

impl Fleet {
    /// A worker that runs our kinds, with settings of its own; it has registered.
    pub async fn chaos_worker(&self, slots: u32, own: &[(&'static str, String)]) -> Process {
        let mut settings = vec![("FLOTILLA_WORKER_SLOTS", slots.to_string())];
        settings.extend_from_slice(own);
        let worker = self.start("chaos-worker", &settings).await;
        worker.ready().await;
        worker
    }
}

impl Stage {
    /// Submits these, all or none. The ids are in their order.
    pub async fn order(&self, orders: &[Value]) -> Vec<String> {
        let body = json!({ "jobs": orders });
        let answer = within("an answer", SOON, self.client.post("/v1/jobs/batch", &body)).await.expect("accepted");
        ids(&answer.body)
    }

    pub async fn job(&self, id: &str) -> Value {
        self.client.get(&format!("/v1/jobs/{id}"), &[]).await.expect("answered").body
    }

    /// Waits until each of these jobs is as it should be, and returns them.
    pub async fn until(&self, what: &str, jobs: &[String], by: Duration, is: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut looks = interval(LOOK_EVERY);
        eventually(what, by, async || {
            looks.tick().await;
            let mut found = Vec::new();
            for id in jobs {
                let job = self.job(id).await;
                if !is(&job) {
                    return Err(format!("{job:#}\n{}", self.scheduler.said()));
                }
                found.push(job);
            }
            Ok(found)
        })
        .await
    }

    /// Waits until they run; returns the worker that runs the first.
    pub async fn running(&self, jobs: &[String]) -> String {
        let found = self.until("they run", jobs, SOON, |job| job["state"] == "running").await;
        found[0]["worker"].as_str().expect("it runs on one").to_owned()
    }

    /// Waits until they have succeeded.
    pub async fn succeeded(&self, jobs: &[String], by: Duration) -> Vec<Value> {
        self.until("they succeed", jobs, by, |job| job["state"] == "succeeded").await
    }

    /// Waits until the rescuer will not be quiet any more when a lease ends that nobody renews from now on.
    pub async fn rescuer_is_near(&self) {
        let passes = async || self.scheduler.metric_of("flotilla_duty_runs_total", "duty=\"rescue\"").await;
        let mut looks = interval(LOOK_EVERY);
        eventually("the rescuer has been up for a while", SOON * 2, async || {
            looks.tick().await;
            passes().await >= QUIET_PASSES
        })
        .await;
    }

    /// The steps of a job's life that somebody made: `worker:`, `duty:rescue`.
    pub async fn steps_by(&self, job: &str, actor: &str) -> Vec<Value> {
        let story = self.client.get(&format!("/v1/jobs/{job}/timeline"), &[]).await.expect("answered").body;
        let steps = story["timeline"].as_array().expect("a list");
        steps.iter().filter(|step| step["actor"].as_str().is_some_and(|by| by.starts_with(actor))).cloned().collect()
    }
}
