//! One supervised connection: connect, work until the first sign of trouble, close, wait a little, again, for ever. The client
//! library's own recovery is not used: it gives up, and it can leave a consumer waiting for nothing (queue-core, *lapin*).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::Backoff;
use futures_util::{StreamExt, stream};
use lapin::Event;
use parking_lot::Mutex;
use telemetry::chain;
use tokio::sync::watch;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

use crate::error::{CONNECTING, CallError, Why};
use crate::hub::Hub;
use crate::line::Line;
use crate::troubles::Deed;

/// A broker that is back has 15 s until jobs run again (docs/reliability.md): no more than a third of it may pass before we look.
const BACKOFF: Backoff = Backoff::Exponential { base_ms: 400, cap_ms: 5_000 };
const SHORTEST: Duration = Duration::from_millis(200);
/// How often the client library is asked whether it is still connected, whatever it told.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A connection that held for this long was a good one: the next try comes soon.
const HELD_FOR: Duration = Duration::from_secs(10);

/// What a connection is used for.
#[async_trait]
pub(crate) trait Session: Send {
    /// Waits until there is something to connect for.
    async fn wanted(&mut self);

    /// Works on an open connection. Returns when there is nothing left to do, or what went wrong.
    async fn run(&mut self, line: &Arc<Line>) -> Result<(), CallError>;

    /// The connection is gone.
    fn lost(&mut self);
}

/// How a connection is doing, for its owner and for operators.
#[derive(Default)]
pub(crate) struct Link {
    pub line: watch::Sender<Option<Arc<Line>>>,
    state: Mutex<State>,
}

#[derive(Default, Clone)]
pub(crate) struct State {
    /// Why the broker takes nothing from us at present.
    pub blocked: Option<String>,
    pub last_error: Option<String>,
    pub connects: u64,
}

impl Link {
    pub fn connected(&self) -> bool {
        self.line.borrow().is_some()
    }

    pub fn blocked(&self) -> bool {
        self.state.lock().blocked.is_some()
    }

    pub fn state(&self) -> State {
        self.state.lock().clone()
    }

    /// Keeps a connection until `stop`.
    pub async fn keep(&self, role: &'static str, hub: &Hub, mut session: Box<dyn Session>, stop: CancellationToken) {
        let mut failures = 0_u16;
        loop {
            let Some((trouble, held)) = self.once(role, hub, &mut *session, &stop).await else { return };
            failures = if held >= HELD_FOR { 1 } else { failures.saturating_add(1) };
            hub.blame(&trouble);
            self.note(role, hub, &trouble);
            let delay = BACKOFF.delay(failures, rand::random::<f64>()).max(SHORTEST);
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(Instant::now() + delay) => {}
            }
        }
    }

    /// One connection, and how it ended. `None`: there is nothing left to do.
    async fn once(
        &self,
        role: &'static str,
        hub: &Hub,
        session: &mut dyn Session,
        stop: &CancellationToken,
    ) -> Option<(CallError, Duration)> {
        let opening = async {
            session.wanted().await;
            Line::open(&hub.address, &format!("{} ({role})", hub.options.name)).await
        };
        let line = match stop.run_until_cancelled(opening).await? {
            Ok(line) => Arc::new(line),
            Err(error) => return Some((error, Duration::ZERO)),
        };
        let since = Instant::now();
        tracing::info!("connected to RabbitMQ at {} to {role}", hub.address);
        hub.troubles.over(&Deed::Enter(role));
        self.up(&line);
        let ended = tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            trouble = self.watch(role, &line) => Err(trouble),
            ended = session.run(&line) => ended,
        };
        self.down();
        session.lost();
        line.close().await;
        ended.err().map(|error| (error, since.elapsed()))
    }

    fn up(&self, line: &Arc<Line>) {
        let mut state = self.state.lock();
        state.connects += 1;
        state.last_error = None;
        drop(state);
        self.line.send_replace(Some(Arc::clone(line)));
    }

    fn down(&self) {
        self.line.send_replace(None);
        self.state.lock().blocked = None;
    }

    /// One line for a new trouble, none for its repetitions.
    fn note(&self, role: &'static str, hub: &Hub, trouble: &CallError) {
        let text = chain(trouble);
        let refused = if trouble.doing == CONNECTING { hub.failed(Deed::Enter(role), trouble) } else { hub.troubles.refused().is_some() };
        let mut state = self.state.lock();
        if state.last_error.as_ref() != Some(&text) {
            if !refused {
                tracing::warn!(error = %text, "no connection to RabbitMQ at {} to {role}; trying again and again", hub.address);
            }
            state.last_error = Some(text);
        }
    }

    /// Follows the connection's events until it is in trouble.
    async fn watch(&self, role: &'static str, line: &Line) -> CallError {
        const DOING: &str = "holding the connection";
        let mut events = line.events().unwrap_or_else(|| stream::pending().boxed());
        let mut look = interval(LOOK_EVERY);
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                _ = look.tick() => {
                    if line.is_up() {
                        continue;
                    }
                    None
                }
            };
            match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!("RabbitMQ takes no messages at present ({role}): {reason}");
                    self.state.lock().blocked = Some(reason);
                }
                Some(Event::ConnectionUnblocked) => {
                    tracing::info!("RabbitMQ takes messages again ({role})");
                    self.state.lock().blocked = None;
                }
                // A channel that the broker closed concerns who uses it, and nobody else.
                Some(Event::Error(error)) if error.is_amqp_soft_error() => {}
                Some(Event::Error(error)) => return CallError { doing: DOING, why: Why::Client(error) },
                Some(_) => {}
                None => return CallError::ended(DOING, "the connection ended"),
            }
        }
    }
}
