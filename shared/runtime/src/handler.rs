//! Handlers are typed by their kind at the edge and erased at one line, here.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use domain::bounds::RESULT_BYTES_MAX;
use domain::{Failure, KindInfo, KindName, Outcome};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use kinds::Kind;

use crate::JobContext;

/// Runs jobs of one kind. May be called more than once for one job (I6): make effects through [`JobContext::effect`].
///
/// Dropping the future is how a worker aborts a handler that does not return in time after a cancel, a timeout or the
/// end of its lease. Blocking code belongs into `tokio::task::spawn_blocking`.
pub trait Handler<K: Kind>: Send + Sync + 'static {
    /// The job's result; kept as JSON, at most 1 MiB. `()` is no result.
    type Output: serde::Serialize;

    fn run(&self, payload: K, cx: &JobContext) -> impl Future<Output = Result<Self::Output, Failure>> + Send;
}

/// Two handlers for one kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are two handlers for the kind `{0}`")]
pub struct RegistryError(KindName);

/// The kinds a worker knows.
#[derive(Default, Clone)]
pub struct Registry {
    kinds: BTreeMap<KindName, Registered>,
}

/// A kind and the handler that runs it.
#[derive(Clone)]
pub(crate) struct Registered {
    pub info: KindInfo,
    pub handler: Arc<dyn ErasedHandler>,
}

/// A handler whose kind is known only by name.
pub(crate) trait ErasedHandler: Send + Sync {
    fn run<'a>(&'a self, payload: &'a str, cx: &'a JobContext) -> BoxFuture<'a, Outcome>;
}

struct Typed<K, H> {
    handler: H,
    kind: PhantomData<fn() -> K>,
}

impl Registry {
    /// Adds a kind with its handler. The one place where a handler's type is erased.
    ///
    /// # Errors
    /// If the kind has a handler already.
    pub fn add<K: Kind, H: Handler<K>>(&mut self, handler: H) -> Result<(), RegistryError> {
        let info = kinds::info_of::<K>();
        let handler: Arc<dyn ErasedHandler> = Arc::new(Typed { handler, kind: PhantomData });
        match self.kinds.insert(info.name.clone(), Registered { info: info.clone(), handler }) {
            None => Ok(()),
            Some(_) => Err(RegistryError(info.name)),
        }
    }

    /// What a worker with these kinds registers.
    pub fn infos(&self) -> Vec<KindInfo> {
        self.kinds.values().map(|registered| registered.info.clone()).collect()
    }

    pub(crate) fn find(&self, kind: &KindName) -> Option<&Registered> {
        self.kinds.get(kind)
    }
}

impl<K: Kind, H: Handler<K>> ErasedHandler for Typed<K, H> {
    fn run<'a>(&'a self, payload: &'a str, cx: &'a JobContext) -> BoxFuture<'a, Outcome> {
        async move {
            match serde_json::from_str::<K>(payload) {
                Ok(payload) => reply(self.handler.run(payload, cx).await),
                Err(error) => Outcome::Failed(undecodable::<K>(&error)),
            }
        }
        .boxed()
    }
}

/// No attempt can change what the payload is, so it dies at once. The parser's words may quote the payload (I10): only
/// the place is told.
fn undecodable<K: Kind>(error: &serde_json::Error) -> Failure {
    let message = format!("the payload does not decode as `{}` (line {}, column {})", K::NAME, error.line(), error.column());
    Failure::permanent("invalid_payload", message).with_hint("edit the payload and retry the job")
}

fn reply<T: serde::Serialize>(ended: Result<T, Failure>) -> Outcome {
    let output = match ended {
        Ok(output) => output,
        Err(failure) => return Outcome::Failed(failure),
    };
    match serde_json::to_string(&output) {
        Ok(text) if text == "null" => Outcome::Succeeded { result: None },
        Ok(text) if text.len() <= RESULT_BYTES_MAX => Outcome::Succeeded { result: Some(text.into()) },
        Ok(text) => {
            let message = format!("the result has {} bytes, more than {RESULT_BYTES_MAX}", text.len());
            Outcome::Failed(Failure::permanent("result_too_large", message).with_hint("store large results elsewhere and return where"))
        }
        Err(_) => Outcome::Failed(Failure::permanent("result_not_json", "the result cannot be written as JSON")),
    }
}
