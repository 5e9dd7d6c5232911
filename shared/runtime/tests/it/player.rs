//! The handler of tests: does what its payload says, and writes down what it did.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::bounds::RESULT_BYTES_MAX;
use domain::{Failure, JobId};
use parking_lot::Mutex;
use runtime::{Effect, Handler, JobContext, Registry};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::script::{Careful, Checked, NotJson, Script, Step, Unwritable};

pub const SOON: Duration = Duration::from_secs(20);

/// What handlers did, for tests to wait on and to judge.
#[derive(Default)]
pub struct Log {
    pub started: Mutex<Vec<(JobId, u16)>>,
    /// Keys of effects that were really made.
    pub effects: Mutex<Vec<String>>,
    /// Keys of effects that were to be verified first.
    pub verified: Mutex<Vec<String>>,
    /// Codes of the failures that effects were refused with.
    pub refused: Mutex<Vec<String>>,
    /// Who was asked to stop, and when it was told.
    pub stopped: Mutex<Vec<(JobId, Instant)>>,
    /// Which worker ran which job.
    pub ran_by: Mutex<Vec<(JobId, String)>>,
    /// Lets the steps go on that wait for it, for good.
    pub cue: CancellationToken,
    pub running: AtomicU64,
    pub running_max: AtomicU64,
    arrived: Notify,
}

impl Log {
    pub async fn started(&self, job: JobId, attempt: u16) {
        testkit::within(&format!("attempt {attempt} of {job} starts"), SOON, async {
            loop {
                let arrived = self.arrived.notified();
                if self.started.lock().contains(&(job, attempt)) {
                    return;
                }
                arrived.await;
            }
        })
        .await;
    }
}

#[derive(Clone)]
pub struct Scripted {
    pub log: Arc<Log>,
}

impl Handler<Script> for Scripted {
    type Output = String;

    async fn run(&self, script: Script, cx: &JobContext) -> Result<String, Failure> {
        self.play(&script.steps, cx).await
    }
}

impl Handler<Careful> for Scripted {
    type Output = String;

    async fn run(&self, script: Careful, cx: &JobContext) -> Result<String, Failure> {
        self.play(&script.steps, cx).await
    }
}

impl Handler<Checked> for Scripted {
    type Output = String;

    async fn run(&self, script: Checked, cx: &JobContext) -> Result<String, Failure> {
        self.play(&script.steps, cx).await
    }
}

impl Handler<Unwritable> for Scripted {
    type Output = NotJson;

    async fn run(&self, _: Unwritable, _: &JobContext) -> Result<NotJson, Failure> {
        Ok(NotJson)
    }
}

impl Scripted {
    async fn play(&self, steps: &[Step], cx: &JobContext) -> Result<String, Failure> {
        let running = self.log.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.log.running_max.fetch_max(running, Ordering::SeqCst);
        let _leave = Leave(&self.log);
        self.log.ran_by.lock().push((cx.id(), cx.actor().name));
        self.log.started.lock().push((cx.id(), cx.attempt()));
        self.log.arrived.notify_waiters();
        let step = steps.get(usize::from(cx.attempt()) - 1).or(steps.last()).cloned().unwrap_or(Step::Succeed);
        self.step(step, cx).await
    }

    async fn step(&self, step: Step, cx: &JobContext) -> Result<String, Failure> {
        let done = || Ok(format!("done at attempt {}", cx.attempt()));
        match step {
            Step::Succeed => done(),
            Step::Fail => Err(Failure::transient("scripted", "told to fail")),
            Step::RateLimited => Err(Failure::rate_limited(cx.now() + Duration::from_secs(30), "scripted_429", "told to wait")),
            Step::Refuse => Err(Failure::permanent("scripted_refusal", "told to refuse")),
            Step::Panic => panic!("told to panic"),
            Step::Boast => Ok("x".repeat(RESULT_BYTES_MAX)),
            Step::ReportThenFail => {
                cx.progress(30, Some("so far"));
                Err(Failure::transient("scripted", "told to fail"))
            }
            Step::ReportThenRefuse => {
                cx.progress(40, None);
                Err(Failure::permanent("scripted_refusal", "told to refuse"))
            }
            Step::Talk => {
                tracing::info!(answer = 42, "thinking aloud");
                cx.progress(50, Some("half"));
                cx.output("word by ");
                cx.output("word");
                done()
            }
            Step::EffectThenFail | Step::EffectUnknown | Step::Effect | Step::EffectOnCue | Step::EffectAfterStop => {
                self.effectful(step, cx).await?;
                done()
            }
            Step::Wait | Step::Hang | Step::FinishAnyway | Step::OnCue | Step::Block | Step::PanicWhenDropped => {
                self.lasting(step, cx).await?;
                done()
            }
        }
    }

    /// Steps that take until something happens.
    async fn lasting(&self, step: Step, cx: &JobContext) -> Result<(), Failure> {
        match step {
            Step::OnCue => self.log.cue.cancelled().await,
            Step::Block => return block(cx),
            Step::Hang => std::future::pending().await,
            Step::PanicWhenDropped => {
                let _panics = PanicsWhenDropped;
                std::future::pending().await
            }
            _ => {
                cx.cancelled().await;
                self.log.stopped.lock().push((cx.id(), Instant::now()));
            }
        }
        if step == Step::Wait { Err(Failure::transient("stopped", "was asked to stop")) } else { Ok(()) }
    }

    async fn effectful(&self, step: Step, cx: &JobContext) -> Result<(), Failure> {
        match step {
            Step::EffectOnCue => self.log.cue.cancelled().await,
            Step::EffectAfterStop => cx.cancelled().await,
            _ => {}
        }
        let made = self.effect(cx, step != Step::EffectUnknown).await;
        if let Err(failure) = &made {
            self.log.refused.lock().push(failure.code.clone());
        }
        made?;
        match step {
            Step::EffectThenFail => Err(Failure::transient("scripted", "failed after the effect")),
            Step::EffectUnknown => Err(Failure::transient("scripted", "the answer was lost")),
            _ => Ok(()),
        }
    }

    async fn effect(&self, cx: &JobContext, known: bool) -> Result<(), Failure> {
        let permit = match cx.effect("post", cx.idempotency_key()).await? {
            Effect::Confirmed(handle) => {
                assert_eq!(handle, "handle", "the handle comes back");
                return Ok(());
            }
            Effect::Make(permit) => permit,
            Effect::Verify(permit) => {
                self.log.verified.lock().push(cx.idempotency_key().to_owned());
                permit
            }
        };
        self.log.effects.lock().push(cx.idempotency_key().to_owned());
        if known { permit.confirm("handle").await } else { permit.unknown().await }
    }
}

/// What a handler must not do: wait without giving its thread back.
fn block(cx: &JobContext) -> Result<(), Failure> {
    let started = std::time::Instant::now();
    while !cx.is_cancelled() {
        if started.elapsed() > SOON / 2 {
            return Err(Failure::permanent("deaf", "nothing else went on while this thread was held"));
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    Ok(())
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("told to panic when dropped");
    }
}

struct Leave<'a>(&'a Log);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Every kind of the tests, with a handler that writes into `log`.
pub fn registry(log: &Arc<Log>) -> Registry {
    let handler = || Scripted { log: Arc::clone(log) };
    let mut registry = Registry::default();
    registry.add::<Script, _>(handler()).expect("one handler");
    registry.add::<Careful, _>(handler()).expect("one handler");
    registry.add::<Checked, _>(handler()).expect("one handler");
    registry.add::<Unwritable, _>(handler()).expect("one handler");
    registry
}
