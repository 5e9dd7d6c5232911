//! How does a caller have something written? It hands an operation to the writer and waits for its commit.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use store::StoreError;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::fault::Fault;
use crate::lanes::{Entrances, Lane, lanes};
use crate::tx::Tx;
use crate::writer::{Waiting, Writer};

/// One operation that writes: all of it happens in one transaction, or nothing.
#[async_trait]
pub(crate) trait Write: Send + Sync + 'static {
    type Reply: Send + 'static;
    /// For error messages: "recording jobs".
    const DOING: &'static str;
    /// Which way it takes to the writer (see [`crate::lanes`]).
    const LANE: Lane = Lane::Normal;

    /// About how many rows it touches.
    fn rows(&self) -> usize {
        1
    }

    /// About how many bytes it writes, where that may be much.
    fn bytes(&self) -> usize {
        0
    }

    /// Runs it, perhaps twice (see [`crate::writer`]). A refusal that is no fault is part of the reply and must have
    /// written nothing.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault>;
}

/// Since when what the writer has in hand has waited; `None`: its hands are empty.
#[derive(Clone, Default)]
pub(crate) struct InHand(Arc<Mutex<Option<Instant>>>);

impl InHand {
    pub(crate) fn set(&self, since: Option<Instant>) {
        *self.0.lock() = since;
    }
}

/// The callers' side of the writer.
pub(crate) struct WriteQueue {
    entrances: Entrances,
    task: Mutex<Option<JoinHandle<()>>>,
    in_hand: InHand,
    deadline: Duration,
}

impl WriteQueue {
    pub(crate) fn start(writer: Writer, deadline: Duration) -> Self {
        let (entrances, lanes) = lanes();
        let in_hand = InHand::default();
        let task = tokio::spawn(writer.serve(lanes, in_hand.clone()));
        Self { entrances, task: Mutex::new(Some(task)), in_hand, deadline }
    }

    /// Waits for the operation's commit. Dropping the future loses the reply; an operation that had not begun is skipped.
    pub(crate) async fn write<W: Write>(&self, operation: W) -> Result<W::Reply, StoreError> {
        let (reply, answer) = oneshot::channel();
        let waiting = Box::new(Pending { operation, reply: Some(reply), done: None });
        let wait = async {
            let away = || Fault::Away("the store is shut down").into_error(W::DOING);
            self.entrances.enter(W::LANE, waiting).await.map_err(|_| away())?;
            answer.await.unwrap_or_else(|_| Err(away()))
        };
        let late = |_| Fault::Away("the writer did not answer within its deadline").into_error(W::DOING);
        timeout(self.deadline, wait).await.map_err(late)?
    }

    /// How many operations wait for the writer now.
    pub(crate) fn waiting(&self) -> usize {
        self.entrances.waiting()
    }

    /// Fails when the writer is gone, or has not got done in its deadline what it has in hand.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        if self.task.lock().as_ref().is_none_or(JoinHandle::is_finished) {
            return Err(Fault::Away("the writer is gone"));
        }
        let since = *self.in_hand.0.lock();
        let stuck = since.is_some_and(|since| since.elapsed() > self.deadline);
        if stuck { Err(Fault::Away("the writer has not got done for longer than its deadline what it has in hand")) } else { Ok(()) }
    }

    /// Lets what waits finish, checkpoints, and releases the lock. Later writes are refused. Twice is no error.
    pub(crate) async fn close(&self) {
        self.entrances.close().await;
        self.ended().await;
    }

    /// Stops as a killed process would: between two statements, without commit or checkpoint.
    pub(crate) async fn kill(&self) {
        if let Some(task) = &*self.task.lock() {
            task.abort();
        }
        self.ended().await;
    }

    async fn ended(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}

struct Pending<W: Write> {
    operation: W,
    reply: Option<oneshot::Sender<Result<W::Reply, StoreError>>>,
    done: Option<W::Reply>,
}

#[async_trait]
impl<W: Write> Waiting for Pending<W> {
    fn rows(&self) -> usize {
        self.operation.rows()
    }

    fn bytes(&self) -> usize {
        self.operation.bytes()
    }

    fn abandoned(&self) -> bool {
        self.reply.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault> {
        self.done = Some(self.operation.run(tx).await?);
        Ok(())
    }

    fn answer(mut self: Box<Self>, outcome: Result<(), Fault>) {
        let done = self.done.take();
        let reply = outcome.and_then(|()| done.ok_or(Fault::Away("the operation did not run")));
        if let Some(caller) = self.reply.take() {
            // Nobody listens any more: the work is done all the same.
            let _ = caller.send(reply.map_err(|fault| fault.into_error(W::DOING)));
        }
    }
}
