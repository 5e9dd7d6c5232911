//! Is there a connection, and what becomes of a call while there is none?

use std::sync::Arc;
use std::time::Duration;

use coordination::CoordinationError;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, RedisError, RetryMethod};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::backoff::{Backoff, STEADY};
use crate::server::{Opened, REPLY_WITHIN, Server, timed_out};

/// One call, with all it waits for.
const CALL_WITHIN: Duration = REPLY_WITHIN;
const NO_ANSWER: &str = "no answer in time";
/// An idle connection is asked this often whether it still lives: a peer that vanished says nothing by itself.
const PING_EVERY: Duration = Duration::from_secs(5);

/// One connection that is watched and made again, for ever.
pub(crate) struct Link {
    states: watch::Receiver<State>,
    doubted: Arc<Notify>,
    _supervisor: AbortOnDropHandle<()>,
}

#[derive(Clone)]
pub(crate) enum State {
    /// The first attempt has not ended.
    Opening,
    Up(MultiplexedConnection),
    Away(RedisError),
}

/// Why a call did nothing, or nobody knows whether it did.
#[derive(Debug)]
pub(crate) enum CallError {
    /// Redis cannot be asked now.
    Away(RedisError),
    /// It was asked, and will not.
    Refused(RedisError),
}

impl CallError {
    pub(crate) fn during(self, doing: &'static str) -> CoordinationError {
        let (Self::Away(source) | Self::Refused(source)) = self;
        CoordinationError { doing, source: Box::new(source) }
    }

    fn of(error: RedisError) -> Self {
        match error.retry_method() {
            RetryMethod::NoRetry => Self::Refused(error),
            _ => Self::Away(error),
        }
    }
}

impl Link {
    /// Starts connecting. `purpose` is what does without while there is no connection.
    pub(crate) fn start(server: Server, purpose: &'static str, heard: impl Fn(PushInfo) + Send + Sync + 'static) -> Self {
        let (sender, states) = watch::channel(State::Opening);
        let doubted = Arc::new(Notify::new());
        let supervisor = Supervisor { server, purpose, heard: Arc::new(heard), states: sender, doubted: Arc::clone(&doubted) };
        Self { states, doubted, _supervisor: AbortOnDropHandle::new(tokio::spawn(supervisor.run())) }
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(*self.states.borrow(), State::Up(_))
    }

    pub(crate) fn states(&self) -> watch::Receiver<State> {
        self.states.clone()
    }

    /// Somebody had no answer: have the connection looked at now.
    pub(crate) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Does one thing within one deadline. While Redis is known to be away, it fails at once.
    pub(crate) async fn call<T, F>(&self, work: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        self.call_within(CALL_WITHIN, work).await
    }

    /// The same for who has more patience.
    pub(crate) async fn call_within<T, F>(&self, deadline: Duration, work: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let calling = async {
            let connection = self.connection().await.map_err(CallError::Away)?;
            work(connection).await.map_err(CallError::of)
        };
        let result = timeout(deadline, calling).await.unwrap_or_else(|_| Err(CallError::Away(timed_out(NO_ANSWER))));
        if matches!(result, Err(CallError::Away(_))) {
            self.doubt();
        }
        result
    }

    /// The connection that stands; only the first attempt is waited for.
    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut states = self.states();
        let state = states.wait_for(|state| !matches!(state, State::Opening)).await;
        match state.map(|state| state.clone()) {
            Ok(State::Up(connection)) => Ok(connection),
            Ok(State::Away(error)) => Err(error),
            Ok(State::Opening) | Err(_) => Err(timed_out(NO_ANSWER)),
        }
    }
}

struct Supervisor {
    server: Server,
    purpose: &'static str,
    heard: Arc<dyn Fn(PushInfo) + Send + Sync>,
    states: watch::Sender<State>,
    doubted: Arc<Notify>,
}

impl Supervisor {
    /// Ends with its task.
    async fn run(self) {
        let mut backoff = Backoff::default();
        loop {
            let error = match self.server.connect(Arc::clone(&self.heard), Some(REPLY_WITHIN)).await {
                Ok(opened) => {
                    let since = Instant::now();
                    self.set_up(&opened);
                    let error = self.outlive(opened).await;
                    if since.elapsed() >= STEADY {
                        backoff.reset();
                    }
                    error
                }
                Err(error) => error,
            };
            self.set_away(error);
            sleep_until(Instant::now() + backoff.next(rand::random())).await;
        }
    }

    /// Returns when the connection is gone or gives no answer, with the reason.
    async fn outlive(&self, Opened { mut connection, gone }: Opened) -> RedisError {
        let mut ticks = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = gone.notified() => return closed(),
                () = self.doubted.notified() => {}
                _ = ticks.tick() => {}
            }
            if let Err(error) = redis::cmd("PING").query_async::<String>(&mut connection).await {
                return error;
            }
        }
    }

    fn set_up(&self, opened: &Opened) {
        let before = self.states.send_replace(State::Up(opened.connection.clone()));
        if matches!(before, State::Away(_)) {
            tracing::info!("Redis is back: {}", self.purpose);
        }
    }

    /// Only the change is worth a warning, not every attempt.
    fn set_away(&self, error: RedisError) {
        let chain = telemetry::chain(&error);
        let before = self.states.send_replace(State::Away(error));
        if !matches!(before, State::Away(_)) {
            tracing::warn!(error = %chain, "Redis is away, which costs no job: {}", self.purpose);
        }
    }
}

fn closed() -> RedisError {
    std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "the connection was closed").into()
}
