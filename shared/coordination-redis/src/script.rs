//! How is a script run? By its hash; its text travels only when the server does not know it.

use redis::{FromRedisValue, ScriptInvocation};

use crate::link::{CallError, Link};

/// A script that Redis runs whole or not at all, with no other command in between.
///
/// A server that was restarted has forgotten it and is given the text again. A call whose reply is lost may have been
/// done: a script must bear to be run twice.
pub(crate) struct Script(redis::Script);

impl Script {
    pub(crate) fn new(text: &'static str) -> Self {
        Self(redis::Script::new(text))
    }

    /// Runs it within the one deadline of a call; `fill` names keys and arguments.
    pub(crate) async fn run<T: FromRedisValue>(&self, link: &Link, fill: impl FnOnce(&mut ScriptInvocation<'_>)) -> Result<T, CallError> {
        let mut invocation = self.0.prepare_invoke();
        fill(&mut invocation);
        link.call(async |mut connection| invocation.invoke_async(&mut connection).await).await
    }
}
