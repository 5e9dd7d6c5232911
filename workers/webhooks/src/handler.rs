//! Runs `webhooks.deliver`: effect, route, one attempt, and what the effect ledger is told of it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use domain::Failure;
use domain::bounds::CANCEL_GRACE;
use kinds::{Deliver, Delivered};
use runtime::{Effect, Handler, JobContext, Registry, RegistryError};
use store::Access;
use vault::Vault;

use crate::classify::GONE;
use crate::deliver::{Attempt, Deliverer, Delivery};
use crate::guard::GuardPolicy;
use crate::routes::{Route, Routes};

const EFFECT: &str = "deliver";
/// Kept of an attempt's time for writing down how it ended.
const BOOKKEEPING: Duration = Duration::from_secs(2);
/// How long a request that is under way may still take after the handler was asked to stop: knowing beats guessing.
const LAST_WAIT: Duration = Duration::from_secs(3);
/// The same where a person is waiting for the cancel.
const LAST_WAIT_OF_CANCEL: Duration = Duration::from_millis(250);

const _: () = assert!(LAST_WAIT.as_secs() < CANCEL_GRACE.as_secs(), "the outcome must be written down within the grace");

/// What webhooks need of the process.
pub struct Parts {
    pub policy: GuardPolicy,
    pub access: Arc<dyn Access>,
    pub vault: Arc<Vault>,
}

/// Adds `webhooks.deliver` to what a worker runs.
///
/// # Errors
/// If it is there already.
pub fn register(registry: &mut Registry, parts: Parts) -> Result<(), RegistryError> {
    let Parts { policy, access, vault } = parts;
    registry.add::<Deliver, _>(DeliverHandler::new(Deliverer::new(policy), access, vault))
}

pub struct DeliverHandler {
    deliverer: Deliverer,
    routes: Routes,
}

impl DeliverHandler {
    pub fn new(deliverer: Deliverer, access: Arc<dyn Access>, vault: Arc<Vault>) -> Self {
        Self { deliverer, routes: Routes::new(access, vault) }
    }

    async fn route(&self, payload: &Deliver, cx: &JobContext) -> Result<Route, Failure> {
        self.routes.find(&payload.target()?, &cx.actor(), cx.now()).await
    }

    async fn attempt(&self, payload: &Deliver, route: &Route, cx: &JobContext) -> Attempt {
        // Standard Webhooks forbids dots in ids; the key has one after an edited replay.
        let id = cx.idempotency_key().replace('.', "_");
        let remaining = cx.remaining();
        let delivery = Delivery {
            url: &route.url,
            payload,
            secret: &route.secret,
            id: &id,
            at: cx.now(),
            trace: cx.trace(),
            within: remaining.saturating_sub(BOOKKEEPING).max(remaining / 2),
        };
        until_stopped(cx, self.deliverer.deliver(&delivery)).await
    }
}

impl Handler<Deliver> for DeliverHandler {
    type Output = Delivered;

    async fn run(&self, payload: Deliver, cx: &JobContext) -> Result<Delivered, Failure> {
        payload.check()?;
        // First of all: what was delivered stays delivered, whatever became of its endpoint since.
        let permit = match cx.effect(EFFECT, cx.idempotency_key()).await? {
            Effect::Confirmed(handle) => return remembered(&handle),
            Effect::Make(permit) | Effect::Verify(permit) => permit,
        };
        let route = match self.route(&payload, cx).await {
            Ok(route) => route,
            Err(failure) => {
                let _logged = permit.failed().await;
                return Err(failure);
            }
        };
        // From here on the attempt's own outcome is what the job is told. That the ledger could not be written is logged
        // by the permit; the effect then counts as unknown and is repeated under the same key at worst.
        match self.attempt(&payload, &route, cx).await {
            Attempt::Delivered(delivered) => {
                let _logged = permit.confirm(&handle_of(&delivered)).await;
                Ok(delivered)
            }
            Attempt::NotDelivered(failure) => {
                let _logged = permit.failed().await;
                if failure.code == GONE {
                    self.routes.gone(&route, &cx.actor()).await;
                }
                Err(failure)
            }
            Attempt::Unknown(failure) => {
                let _logged = permit.unknown().await;
                Err(failure)
            }
        }
    }
}

/// Waits for the attempt, but not much longer once the handler was asked to stop.
async fn until_stopped(cx: &JobContext, attempt: impl Future<Output = Attempt>) -> Attempt {
    let mut attempt = std::pin::pin!(attempt);
    tokio::select! {
        biased;
        ended = &mut attempt => ended,
        () = cx.cancelled() => {
            let wait = if cx.is_cancelled_by_request() { LAST_WAIT_OF_CANCEL } else { LAST_WAIT };
            tokio::time::timeout(wait, attempt).await.unwrap_or_else(|_| Attempt::Unknown(stopped()))
        }
    }
}

fn stopped() -> Failure {
    Failure::transient("stopped", "the handler was asked to stop before the receiver answered")
}

/// A struct of numbers and text: there is nothing in it that could fail to serialize.
fn handle_of(delivered: &Delivered) -> String {
    serde_json::to_string(delivered).unwrap_or_default()
}

fn remembered(handle: &str) -> Result<Delivered, Failure> {
    serde_json::from_str(handle)
        .map_err(|_| Failure::permanent("handle_unreadable", "the webhook was delivered, but what the ledger kept of it cannot be read"))
}
