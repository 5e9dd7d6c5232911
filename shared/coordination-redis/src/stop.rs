//! How does a worker wait for hints of the express lane without holding any up?

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use coordination::{ExpressHint, ExpressStop};
use domain::Class;
use redis::{Cmd, RedisError};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::backoff::{Backoff, STEADY};
use crate::server::{Opened, REPLY_WITHIN, Server, timed_out};
use crate::ticket;

/// How long Redis holds one question when there is no hint. Short, because its answer also says that the connection lives.
const ASK_FOR: Duration = Duration::from_secs(1);

/// One worker's place. It has a connection of its own, because a question that waits holds up all behind it.
pub(crate) struct RedisStop {
    /// How many wait now: while nobody does, Redis is not asked.
    waiting: watch::Sender<usize>,
    hints: Mutex<mpsc::Receiver<ExpressHint>>,
    _task: AbortOnDropHandle<()>,
}

impl RedisStop {
    /// `lists` by their names, in the order in which they are looked at.
    pub(crate) fn start(server: Server, lists: Vec<(String, Class)>) -> Self {
        let (waiting, wanted) = watch::channel(0);
        let (sender, hints) = mpsc::channel(1);
        let asking = Asking { server, question: question(&lists), lists, wanted, hints: sender };
        Self { waiting, hints: Mutex::new(hints), _task: AbortOnDropHandle::new(tokio::spawn(asking.run())) }
    }
}

fn question(lists: &[(String, Class)]) -> Cmd {
    let mut question = redis::cmd("BRPOP");
    lists.iter().for_each(|(name, _)| _ = question.arg(name));
    question.arg(ASK_FOR.as_secs());
    question
}

#[async_trait]
impl ExpressStop for RedisStop {
    async fn take(&self) -> ExpressHint {
        let _waits = Waits::begin(&self.waiting);
        match self.hints.lock().await.recv().await {
            Some(hint) => hint,
            None => std::future::pending().await,
        }
    }
}

/// Somebody waits for as long as this lives.
struct Waits<'a>(&'a watch::Sender<usize>);

impl<'a> Waits<'a> {
    fn begin(waiting: &'a watch::Sender<usize>) -> Self {
        waiting.send_modify(|count| *count += 1);
        Self(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

struct Asking {
    server: Server,
    question: Cmd,
    lists: Vec<(String, Class)>,
    wanted: watch::Receiver<usize>,
    hints: mpsc::Sender<ExpressHint>,
}

impl Asking {
    /// Ends with its task, or when nobody can wait any more. That Redis is away is said by the other connections.
    async fn run(mut self) {
        let (mut backoff, mut is_refused) = (Backoff::default(), false);
        if self.lists.is_empty() {
            return;
        }
        while self.is_wanted().await {
            let error = match self.server.connect(Arc::new(|_| {}), None).await {
                Ok(opened) => {
                    let since = Instant::now();
                    let Some(error) = self.ask(opened).await else { return };
                    if since.elapsed() >= STEADY {
                        backoff.reset();
                    }
                    error
                }
                Err(error) => error,
            };
            // An account that may not do this never will: said once.
            if error.code() == Some("NOPERM") && !std::mem::replace(&mut is_refused, true) {
                tracing::warn!(error = %telemetry::chain(&error), "Redis refused to let us wait for hints: lone jobs come by the broker alone");
            }
            sleep_until(Instant::now() + backoff.next(rand::random())).await;
        }
    }

    async fn is_wanted(&mut self) -> bool {
        self.wanted.wait_for(|waiting| *waiting > 0).await.is_ok()
    }

    /// Returns why the connection cannot be used any more; `None`: nobody can wait any more.
    async fn ask(&mut self, Opened { mut connection, gone }: Opened) -> Option<RedisError> {
        let hints = self.hints.clone();
        loop {
            // One at most lies here, and only when whoever waited for it has found something else meanwhile.
            let place = hints.reserve().await.ok()?;
            tokio::select! {
                () = gone.notified() => return Some(timed_out("the connection was closed")),
                is_wanted = self.is_wanted() => if !is_wanted { return None },
            }
            let asking = self.question.query_async::<Option<(String, Vec<u8>)>>(&mut connection);
            match timeout(ASK_FOR + REPLY_WITHIN, asking).await {
                Ok(Ok(Some((list, bytes)))) => match self.read(&list, &bytes) {
                    Some(hint) => place.send(hint),
                    None => tracing::debug!("a hint of the express lane was passed over: it is not of this version"),
                },
                Ok(Ok(None)) => {}
                Ok(Err(error)) => return Some(error),
                Err(_) => return Some(timed_out("no answer in time")),
            }
        }
    }

    fn read(&self, list: &str, bytes: &[u8]) -> Option<ExpressHint> {
        let (_, class) = self.lists.iter().find(|(name, _)| name == list)?;
        ticket::decode(class, bytes)
    }
}
