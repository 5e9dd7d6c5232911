//! Is this still the server that we know? One that has started, or taken another's place, was away for workers as well, however little
//! of that was noticed here: leases look over that could not be renewed.

use std::time::Duration;

use domain::bounds::LEASE_FOR;
use parking_lot::Mutex;
use tokio::time::Instant;

/// Two lease times: long enough for workers that were cut off to renew.
const NEW_FOR: Duration = LEASE_FOR.saturating_mul(2);

/// The server's run that was met last, by the time of its start.
#[derive(Default)]
pub(crate) struct ServerRun(Mutex<Option<Known>>);

struct Known {
    started: i64,
    /// Since when we know that it is another than before; `None`: we have known no other.
    new_since: Option<Instant>,
}

impl ServerRun {
    /// A connection was made to the server that started then. No connection outlives its server.
    pub(crate) fn meet(&self, started: i64) {
        let mut known = self.0.lock();
        if known.as_ref().is_none_or(|known| known.started != started) {
            let new_since = known.is_some().then(Instant::now);
            if new_since.is_some() {
                tracing::info!("the database's server has started again, or another one has taken its place");
            }
            *known = Some(Known { started, new_since });
        }
    }

    /// Whether nobody must be judged by a lease yet. Who opens a store is patient by itself at first.
    pub(crate) fn is_new(&self) -> bool {
        let known = self.0.lock();
        known.as_ref().and_then(|known| known.new_since).is_some_and(|since| since.elapsed() < NEW_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_is_new_for_two_lease_times_after_it_took_anothers_place() {
        let run = ServerRun::default();
        assert!(!run.is_new());
        run.meet(1);
        run.meet(1);
        assert!(!run.is_new(), "it is the first one");
        run.meet(2);
        tokio::time::advance(NEW_FOR / 2).await;
        run.meet(2);
        assert!(run.is_new(), "more connections to it do not make it old");
        tokio::time::advance(NEW_FOR / 2).await;
        assert!(!run.is_new());
        // A replica may have started long before.
        run.meet(1);
        assert!(run.is_new());
    }
}
