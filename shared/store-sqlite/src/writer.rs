//! Who writes, and when is it durable? One task, one connection, group commit.
//!
//! The writer takes whatever waits, runs it in one transaction, commits, and answers everybody. While it commits, the next
//! group gathers: the clock is the disk itself, no timer adds latency. When an operation of a group fails or panics, the
//! group is rolled back and each operation runs again in a transaction of its own, so that only the guilty
//! fails. Operations are therefore re-runnable: they read their input and never consume it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use async_trait::async_trait;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::checkpoint::Checkpoints;
use crate::fault::{Fault, code, primary_code};
use crate::lanes::Lanes;
use crate::lock::FileLock;
use crate::tx::{Context, Tx, sql};
use crate::write_queue::InHand;

/// An operation with somebody waiting for it, whatever its reply is.
#[async_trait]
pub(crate) trait Waiting: Send {
    fn rows(&self) -> usize;
    fn bytes(&self) -> usize;
    fn abandoned(&self) -> bool;
    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault>;
    /// Answers: what the last run returned, if that was committed.
    fn answer(self: Box<Self>, outcome: Result<(), Fault>);
}

/// The writer's side: the connection and the lock that makes it the only one.
pub(crate) struct Writer {
    pub(crate) connection: Option<SqliteConnection>,
    pub(crate) connect: SqliteConnectOptions,
    pub(crate) context: Arc<Context>,
    pub(crate) lock: Arc<FileLock>,
    pub(crate) checkpoints: Checkpoints,
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
    pub(crate) async fn serve(mut self, mut lanes: Lanes, in_hand: InHand) {
        while let Some(first) = lanes.first().await {
            in_hand.set(Some(first.since));
            self.context.planned.pass_gate().await;
            let group = lanes.gather(first);
            in_hand.set(group.oldest());
            self.write(group.operations).await;
            in_hand.set(None);
        }
        self.finish().await;
    }

    /// Commits a group, or each of its operations alone when one of them fails.
    async fn write(&mut self, mut group: Vec<Box<dyn Waiting>>) {
        match self.transact(&mut group).await {
            Ok(()) => group.into_iter().for_each(|operation| operation.answer(Ok(()))),
            Err(Failed::ReplyLost) => group.into_iter().for_each(|operation| operation.answer(Err(Fault::Planned))),
            Err(Failed::AtBegin(fault)) => refuse(group, fault),
            Err(Failed::Later(fault)) if group.len() <= 1 => refuse(group, fault),
            Err(Failed::Later(fault)) => {
                tracing::debug!(count = group.len(), error = %fault, "a group failed; its operations run again one by one");
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
            Ok(tx) => caught(run(tx, group)).await.map_err(Failed::Later),
            Err(fault) => Err(Failed::AtBegin(fault)),
        };
        let full = matches!(&outcome, Err(Failed::AtBegin(fault) | Failed::Later(fault)) if fault.is_lack_of_space());
        context.short_of_space.store(full, Ordering::Release);
        match outcome {
            Ok(()) if context.planned.loses_reply() => Err(Failed::ReplyLost),
            Ok(()) => {
                self.checkpoints.after_commit(self.connection.as_mut()).await;
                Ok(())
            }
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

/// A panic is the fault of the operation that it is in: it must not end the writer, and everybody's writes with it.
async fn caught(work: impl Future<Output = Result<(), Fault>>) -> Result<(), Fault> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| {
        catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))).unwrap_or_else(|_| {
            tracing::error!("an operation of the store panicked; it was rolled back");
            Poll::Ready(Err(Fault::Panicked))
        })
    })
    .await
}

/// Nothing of the group was written: the first learns why, the others that it was so.
fn refuse(group: Vec<Box<dyn Waiting>>, fault: Fault) {
    let mut fault = Some(fault);
    for operation in group {
        operation.answer(Err(fault.take().unwrap_or(Fault::Away("the database could not begin a transaction"))));
    }
}
