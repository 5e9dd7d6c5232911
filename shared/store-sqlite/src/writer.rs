//! Who writes, and when is it durable? One task, one connection, group commit.
//!
//! The writer takes whatever waits, runs it in one transaction, commits, and answers everybody. While it commits, the next
//! group gathers: the clock is the disk itself, no timer adds latency. When an operation of a group fails, the
//! group is rolled back and each operation runs again in a transaction of its own, so that only the guilty
//! fails. Operations are therefore re-runnable: they read their input and never consume it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use store::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::fault::{Fault, code, primary_code};
use crate::lock::FileLock;
use crate::tx::{Context, Tx, sql};

/// Operations in one transaction.
const GROUP_OPERATIONS_MAX: usize = 64;
/// Rows after which a group takes no further operation, so that the first does not wait for everybody's.
const GROUP_ROWS_MAX: usize = 8_192;
/// Operations that may wait; callers beyond that wait for a place, within their deadline.
const WAITING_MAX: usize = 512;

/// One operation that writes: all of it happens in one transaction, or nothing.
#[async_trait]
pub(crate) trait Write: Send + Sync + 'static {
    type Reply: Send + 'static;
    /// For error messages: "recording jobs".
    const DOING: &'static str;

    /// About how many rows it touches.
    fn rows(&self) -> usize {
        1
    }

    /// Runs it, perhaps twice (see the module's words). A refusal that is no fault is part of the reply and must have
    /// written nothing.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault>;
}

/// The callers' side of the writer.
pub(crate) struct WriteQueue {
    commands: mpsc::Sender<Command>,
    task: Mutex<Option<JoinHandle<()>>>,
    deadline: Duration,
}

enum Command {
    Write(Box<dyn Waiting>),
    Close,
}

impl WriteQueue {
    pub(crate) fn start(writer: Writer, deadline: Duration) -> Self {
        let (commands, waiting) = mpsc::channel(WAITING_MAX);
        let task = tokio::spawn(writer.serve(waiting));
        Self { commands, task: Mutex::new(Some(task)), deadline }
    }

    /// Waits for the operation's commit. Dropping the future loses the reply; an operation that had not begun is skipped.
    pub(crate) async fn write<W: Write>(&self, operation: W) -> Result<W::Reply, StoreError> {
        let (reply, answer) = oneshot::channel();
        let waiting = Box::new(Pending { operation, reply: Some(reply), done: None });
        let wait = async {
            let away = || Fault::Away("the store is shut down").into_error(W::DOING);
            self.commands.send(Command::Write(waiting)).await.map_err(|_| away())?;
            answer.await.unwrap_or_else(|_| Err(away()))
        };
        let late = |_| Fault::Away("the writer did not answer within its deadline").into_error(W::DOING);
        timeout(self.deadline, wait).await.map_err(late)?
    }

    /// How many operations wait for the writer now.
    pub(crate) fn waiting(&self) -> usize {
        self.commands.max_capacity() - self.commands.capacity()
    }

    /// Lets what waits finish, checkpoints, and releases the lock. Later writes are refused. Twice is no error.
    pub(crate) async fn close(&self) {
        // A closed channel means that somebody else closed it.
        let _ = self.commands.send(Command::Close).await;
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

/// An operation with somebody waiting for it, whatever its reply is.
#[async_trait]
trait Waiting: Send {
    fn rows(&self) -> usize;
    fn abandoned(&self) -> bool;
    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault>;
    /// Answers: what the last run returned, if that was committed.
    fn answer(self: Box<Self>, outcome: Result<(), Fault>);
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

/// The writer's side: the connection and the lock that makes it the only one.
pub(crate) struct Writer {
    pub(crate) connection: Option<SqliteConnection>,
    pub(crate) connect: SqliteConnectOptions,
    pub(crate) context: Arc<Context>,
    pub(crate) lock: Arc<FileLock>,
}

/// Where a transaction failed: before its first operation, or later.
enum Failed {
    AtBegin(Fault),
    Later(Fault),
    /// It is committed, and the caller shall not know.
    ReplyLost,
}

impl Failed {
    fn into_fault(self) -> Fault {
        match self {
            Self::AtBegin(fault) | Self::Later(fault) => fault,
            Self::ReplyLost => Fault::Planned,
        }
    }
}

impl Writer {
    async fn serve(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.recv().await {
            match command {
                Command::Write(first) => {
                    self.context.planned.pass_gate().await;
                    let (group, close) = gather(first, &mut commands);
                    self.write(group).await;
                    if close {
                        commands.close();
                    }
                }
                Command::Close => commands.close(),
            }
        }
        self.finish().await;
    }

    /// Commits a group, or each of its operations alone when one of them fails.
    async fn write(&mut self, mut group: Vec<Box<dyn Waiting>>) {
        group.retain(|operation| !operation.abandoned());
        match self.transact(&mut group).await {
            Ok(()) => group.into_iter().for_each(|operation| operation.answer(Ok(()))),
            Err(Failed::ReplyLost) => group.into_iter().for_each(|operation| operation.answer(Err(Fault::Planned))),
            Err(Failed::AtBegin(fault)) => refuse(group, fault),
            Err(Failed::Later(fault)) if group.len() <= 1 => refuse(group, fault),
            Err(Failed::Later(fault)) => {
                tracing::debug!(operations = group.len(), %fault, "a group failed; its operations run again one by one");
                self.write_each(group).await;
            }
        }
    }

    async fn write_each(&mut self, group: Vec<Box<dyn Waiting>>) {
        for operation in group {
            let mut alone = [operation];
            let outcome = self.transact(&mut alone).await.map_err(Failed::into_fault);
            let [operation] = alone;
            operation.answer(outcome);
        }
    }

    async fn transact(&mut self, group: &mut [Box<dyn Waiting>]) -> Result<(), Failed> {
        if group.is_empty() {
            return Ok(());
        }
        let context = self.context.clone();
        let connection = self.connected().await.map_err(Failed::AtBegin)?;
        let outcome = match Tx::begin(connection, &context).await {
            Ok(tx) => run(tx, group).await.map_err(Failed::Later),
            Err(fault) => Err(Failed::AtBegin(fault)),
        };
        let full = matches!(&outcome, Err(Failed::AtBegin(fault) | Failed::Later(fault)) if fault.is_lack_of_space());
        context.short_of_space.store(full, Ordering::Release);
        match outcome {
            Ok(()) if context.planned.loses_reply() => Err(Failed::ReplyLost),
            Ok(()) => Ok(()),
            Err(failed) => {
                self.recover(&failed).await;
                Err(failed)
            }
        }
    }

    async fn connected(&mut self) -> Result<&mut SqliteConnection, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect.connect().await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Leaves no transaction open. A connection of which that is not sure is replaced.
    async fn recover(&mut self, failed: &Failed) {
        let Some(mut connection) = self.connection.take() else { return };
        let rolled_back = connection.execute(sql("rollback")).await;
        let busy = matches!(failed, Failed::AtBegin(Fault::Sql(error)) if primary_code(error) == Some(code::BUSY));
        if rolled_back.is_ok() || busy {
            self.connection = Some(connection);
        } else if let Err(error) = connection.close().await {
            tracing::warn!(%error, "the writer's connection could not be closed");
        }
    }

    async fn finish(self) {
        if let Some(mut connection) = self.connection {
            let checkpointed = connection.execute(sql("pragma wal_checkpoint(truncate)")).await.map(drop);
            if let Err(error) = checkpointed.and(connection.close().await) {
                tracing::warn!(%error, "the database could not be closed cleanly; the next start recovers it");
            }
        }
        self.lock.release();
    }
}

async fn run(mut tx: Tx<'_>, group: &mut [Box<dyn Waiting>]) -> Result<(), Fault> {
    for operation in group {
        tx.next_operation();
        operation.run(&mut tx).await?;
    }
    tx.commit().await
}

/// What waits right now, up to the bounds; and whether the store is to be closed after it.
fn gather(first: Box<dyn Waiting>, commands: &mut mpsc::Receiver<Command>) -> (Vec<Box<dyn Waiting>>, bool) {
    let mut rows = first.rows();
    let mut group = vec![first];
    while group.len() < GROUP_OPERATIONS_MAX && rows < GROUP_ROWS_MAX {
        match commands.try_recv() {
            Ok(Command::Write(next)) => {
                rows += next.rows();
                group.push(next);
            }
            Ok(Command::Close) => return (group, true),
            Err(_) => break,
        }
    }
    (group, false)
}

/// Nothing of the group was written: the first learns why, the others that it was so.
fn refuse(group: Vec<Box<dyn Waiting>>, fault: Fault) {
    let mut fault = Some(fault);
    for operation in group {
        operation.answer(Err(fault.take().unwrap_or(Fault::Away("the database could not begin a transaction"))));
    }
}
