//! Jobs that change nothing outside: they take time, fail, or take their worker with them.

use std::time::Duration;

use domain::Failure;
use runtime::{Handler, JobContext};
use schemars::JsonSchema;
use serde::Deserialize;

use super::worked;

/// Takes its time, unless it is asked to stop.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    ms: u64,
}

/// Takes its time, whatever it is asked.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deaf {
    ms: u64,
}

/// Fails in its first so many attempts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    attempts: u16,
    #[serde(default)]
    ms: u64,
}

/// Ends its worker's process in its first so many runs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crash {
    runs: u32,
    #[serde(default)]
    ms: u64,
}

/// Whoever is asked to stop before his end says so with this.
fn stopped() -> Failure {
    Failure::transient("stopped", "was asked to stop before the end")
}

/// Runs them all.
pub(super) struct Working;

kind!(Plain, "chaos.plain", Hold);
kind!(Deaf, "chaos.deaf", Hold);
kind!(Fail, "chaos.fail", Hold);
kind!(Crash, "chaos.crash", Hold);

impl Handler<Plain> for Working {
    type Output = ();

    async fn run(&self, Plain { ms }: Plain, cx: &JobContext) -> Result<(), Failure> {
        if worked(ms, cx).await { Ok(()) } else { Err(stopped()) }
    }
}

impl Handler<Deaf> for Working {
    type Output = ();

    async fn run(&self, Deaf { ms }: Deaf, _: &JobContext) -> Result<(), Failure> {
        testkit::hold(Duration::from_millis(ms), "this is how long the job takes").await;
        Ok(())
    }
}

impl Handler<Fail> for Working {
    type Output = ();

    async fn run(&self, Fail { attempts, ms }: Fail, cx: &JobContext) -> Result<(), Failure> {
        if !worked(ms, cx).await {
            return Err(stopped());
        }
        if cx.attempt() <= attempts { Err(Failure::transient("told_to_fail", "its payload told it to fail")) } else { Ok(()) }
    }
}

impl Handler<Crash> for Working {
    type Output = ();

    async fn run(&self, Crash { runs, ms }: Crash, cx: &JobContext) -> Result<(), Failure> {
        if !worked(ms, cx).await {
            return Err(stopped());
        }
        if cx.run() <= runs {
            tracing::error!(job.id = %cx.id(), job.run = cx.run(), "ending this process, as the payload told");
            std::process::abort();
        }
        Ok(())
    }
}
