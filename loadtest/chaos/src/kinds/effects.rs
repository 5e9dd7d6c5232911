//! Jobs that make one effect at the judge: before it, during it and after it there is time to break something.

use std::time::Duration;

use domain::Failure;
use reqwest::{Client, RequestBuilder, StatusCode};
use runtime::{Effect, Handler, JobContext, Permit};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::timeout;

use super::worked;

const EFFECT: &str = "post";
/// Whoever may not know how his request ended waits a little longer, when he is asked to stop.
const LAST_WAIT: Duration = Duration::from_secs(3);
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// When the effect is made, and what is waited for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Making {
    /// The judge's base URL.
    judge: String,
    #[serde(default)]
    before_ms: u64,
    /// How late the judge answers, who has written it down at once.
    #[serde(default)]
    answer_ms: u64,
    #[serde(default)]
    after_ms: u64,
    /// In its first run it waits until it is asked to stop, and begins its effect then: what it must not be able to.
    #[serde(default)]
    too_late: bool,
}

/// An effect that may be repeated under its key.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Repeat(Making);

/// An effect whose outcome the judge can be asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Verify(Making);

/// An effect that waits for a person when nobody knows whether it happened.
#[derive(Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Hold(Making);

/// Runs them all.
#[derive(Clone)]
pub(super) struct Maker {
    client: Client,
}

kind!(Repeat, "chaos.repeat", RepeatSameKey);
kind!(Verify, "chaos.verify", Verify);
kind!(Hold, "chaos.hold", Hold);

impl Handler<Repeat> for Maker {
    type Output = String;

    async fn run(&self, Repeat(making): Repeat, cx: &JobContext) -> Result<String, Failure> {
        self.make("repeat_same_key", &making, cx).await
    }
}

impl Handler<Verify> for Maker {
    type Output = String;

    async fn run(&self, Verify(making): Verify, cx: &JobContext) -> Result<String, Failure> {
        self.make("verify", &making, cx).await
    }
}

impl Handler<Hold> for Maker {
    type Output = String;

    async fn run(&self, Hold(making): Hold, cx: &JobContext) -> Result<String, Failure> {
        self.make("hold", &making, cx).await
    }
}

/// What is known after a request.
enum Answer {
    Yes,
    No,
    /// It may have arrived.
    None,
}

impl Maker {
    pub(super) fn new() -> Self {
        let client = Client::builder().no_proxy().connect_timeout(ASK_TIMEOUT).build().expect("a client without TLS of its own");
        Self { client }
    }

    /// The job's result names the run that made the effect.
    async fn make(&self, policy: &str, making: &Making, cx: &JobContext) -> Result<String, Failure> {
        if making.too_late && cx.run() == 1 {
            cx.cancelled().await;
        } else if !worked(making.before_ms, cx).await {
            return Err(Failure::transient("stopped", "was asked to stop before the effect"));
        }
        let run = match cx.effect(EFFECT, cx.idempotency_key()).await? {
            // Whatever was to be done after it is not what is tested by then.
            Effect::Confirmed(run) => return Ok(run),
            Effect::Make(permit) => self.send(policy, making, cx, permit).await?,
            Effect::Verify(permit) => match self.ask(making, cx).await {
                Answer::Yes => confirmed(permit, "verified".to_owned()).await,
                Answer::No => self.send(policy, making, cx, permit).await?,
                Answer::None => {
                    let _logged = permit.unknown().await;
                    return Err(Failure::transient("unverified", "the judge did not say whether it happened"));
                }
            },
        };
        worked(making.after_ms, cx).await;
        Ok(run)
    }

    async fn send(&self, policy: &str, making: &Making, cx: &JobContext, permit: Permit) -> Result<String, Failure> {
        let request = self
            .client
            .post(format!("{}/effect/{policy}/{}", making.judge, making.answer_ms))
            .header("idempotency-key", cx.idempotency_key())
            .header("x-job-id", cx.id().to_string())
            .header("x-effect-name", EFFECT)
            .header("x-run", cx.run());
        match answered(request, cx).await {
            Answer::Yes => Ok(confirmed(permit, format!("run {}", cx.run())).await),
            Answer::No => {
                let _logged = permit.failed().await;
                Err(Failure::transient("refused", "the judge was not reached, or refused"))
            }
            Answer::None => {
                let _logged = permit.unknown().await;
                Err(Failure::transient("unanswered", "the judge did not answer"))
            }
        }
    }

    /// Whether the judge knows an effect under this job's key.
    async fn ask(&self, making: &Making, cx: &JobContext) -> Answer {
        let asked = self.client.get(format!("{}/effect/{}", making.judge, cx.idempotency_key())).timeout(ASK_TIMEOUT).send().await;
        match asked.map(|answer| answer.status()) {
            Ok(StatusCode::OK) => Answer::Yes,
            Ok(StatusCode::NOT_FOUND) => Answer::No,
            Ok(_) | Err(_) => Answer::None,
        }
    }
}

/// That the ledger could not be written is logged by the permit, and changes nothing of what was done: the job has succeeded.
async fn confirmed(permit: Permit, run: String) -> String {
    let _logged = permit.confirm(&run).await;
    run
}

/// Waits for an answer, but not much longer once the handler was asked to stop.
async fn answered(request: RequestBuilder, cx: &JobContext) -> Answer {
    let mut sent = std::pin::pin!(request.send());
    let answer = tokio::select! {
        biased;
        answer = &mut sent => Ok(answer),
        () = cx.cancelled() => timeout(LAST_WAIT, sent).await,
    };
    match answer {
        Ok(Ok(answer)) if answer.status().is_success() => Answer::Yes,
        Ok(Ok(_)) => Answer::No,
        Ok(Err(error)) if error.is_connect() => Answer::No,
        Ok(Err(_)) | Err(_) => Answer::None,
    }
}
