//! How does one lane write? Group by group, on its own connection, which is made when it is first needed and whenever it broke.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use sqlx::Executor as _;
use sqlx::postgres::PgConnection;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use crate::connection::Connector;
use crate::fault::Fault;
use crate::lane::{Alone, InHand, Lane, Waiting};
use crate::tx::{Context, Tx};

/// Operations, rows and bytes of one transaction, unless a single operation has more.
const GROUP_OPERATIONS_MAX: usize = 64;
const GROUP_ROWS_MAX: usize = 8_192;
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How often a collision with another process is tried again before it shows.
const TRIES_MAX: u32 = 5;

pub(crate) struct Writer {
    lane: Lane,
    connector: Arc<Connector>,
    context: Arc<Context>,
    connection: Option<PgConnection>,
    in_hand: InHand,
    deadline: Duration,
}

type Operation = Box<dyn Waiting>;

/// Where a transaction failed: before its first operation, or later.
enum Failed {
    AtBegin(Fault),
    Later(Fault),
    /// It is committed, and the caller shall not know.
    ReplyLost,
}

impl Failed {
    fn fault(&self) -> Option<&Fault> {
        match self {
            Self::AtBegin(fault) | Self::Later(fault) => Some(fault),
            Self::ReplyLost => None,
        }
    }

    /// The connection broke, and nothing had begun; or it may be done twice.
    fn leaves_no_doubt(&self, alone: Alone) -> bool {
        match self {
            Self::AtBegin(fault) => fault.is_a_broken_connection(),
            Self::Later(fault) => alone == Alone::Repeatable && fault.is_a_broken_connection(),
            Self::ReplyLost => false,
        }
    }

    fn into_fault(self) -> Fault {
        match self {
            Self::AtBegin(fault) | Self::Later(fault) => fault,
            Self::ReplyLost => Fault::Planned,
        }
    }
}

impl Writer {
    pub(crate) fn new(lane: Lane, connector: Arc<Connector>, context: Arc<Context>, deadline: Duration) -> Self {
        Self { lane, connector, context, connection: None, in_hand: InHand::default(), deadline }
    }

    /// Where others see whether it gets on.
    pub(crate) fn in_hand(&self) -> InHand {
        Arc::clone(&self.in_hand)
    }

    pub(crate) async fn serve(mut self, mut waiting: mpsc::Receiver<Operation>) {
        let mut kept = None;
        loop {
            let first = match kept.take() {
                Some(kept) => kept,
                None => match waiting.recv().await {
                    Some(first) => first,
                    None => break,
                },
            };
            *self.in_hand.lock() = Some(Instant::now());
            self.context.planned.pass_gate().await;
            let group;
            (group, kept) = gather(first, &mut waiting);
            self.write(group).await;
            *self.in_hand.lock() = None;
        }
        self.connector.close(self.connection.take()).await;
    }

    /// Commits a group, or each of its operations alone when one of them fails.
    async fn write(&mut self, mut group: Vec<Operation>) {
        match self.transact(&mut group).await {
            Ok(()) => group.into_iter().for_each(|operation| operation.answer(Ok(()))),
            Err(Failed::ReplyLost) => group.into_iter().for_each(|operation| operation.answer(Err(Fault::Planned))),
            Err(Failed::AtBegin(fault)) => refuse(group, fault),
            Err(Failed::Later(fault)) if fault.is_of_the_connection() && !fault.is_of_an_operation() => refuse(group, fault),
            Err(Failed::Later(fault)) if group.len() <= 1 && !self.is_worth_another_try(&fault).await => refuse(group, fault),
            Err(Failed::Later(fault)) => {
                tracing::debug!(count = group.len(), error = %fault, "a group failed; its operations run again one by one");
                self.write_each(group).await;
            }
        }
    }

    /// Two transactions were in each other's way, or there was no partition for a row, and now there is.
    async fn is_worth_another_try(&mut self, fault: &Fault) -> bool {
        if fault.is_collision() {
            return true;
        }
        if !fault.is_lack_of_partition() {
            return false;
        }
        let now = self.context.clock.now();
        let context = Arc::clone(&self.context);
        let Ok(connection) = self.connected().await else { return false };
        match context.partitions.make_ahead(connection, now).await {
            Ok(made) => {
                tracing::warn!(count = made, "partitions were missing and were made on the way: is no scheduler running?");
                true
            }
            Err(error) => {
                tracing::error!(%error, "partitions are missing and could not be made");
                false
            }
        }
    }

    async fn write_each(&mut self, group: Vec<Operation>) {
        for operation in group {
            if operation.abandoned() {
                continue;
            }
            let mut alone = [operation];
            let mut outcome = self.transact(&mut alone).await.map_err(Failed::into_fault);
            let mut tries = 1;
            while let Err(fault) = &outcome
                && tries < TRIES_MAX
                && self.is_worth_another_try(fault).await
            {
                tries += 1;
                outcome = self.transact(&mut alone).await.map_err(Failed::into_fault);
            }
            let [operation] = alone;
            operation.answer(outcome);
        }
    }

    async fn transact(&mut self, group: &mut [Operation]) -> Result<(), Failed> {
        if group.is_empty() {
            return Ok(());
        }
        let alone = if let [operation] = &*group { operation.alone() } else { Alone::Transaction };
        let was_open = self.connection.is_some();
        let outcome = match self.attempt(group, alone).await {
            // The server has closed the connection while nobody looked, as after a restart.
            Err(failed) if was_open && failed.leaves_no_doubt(alone) => self.attempt(group, alone).await,
            outcome => outcome,
        };
        self.context.health.note(self.lane, outcome.as_ref().err().and_then(Failed::fault));
        outcome
    }

    async fn attempt(&mut self, group: &mut [Operation], alone: Alone) -> Result<(), Failed> {
        let is_single = alone != Alone::Transaction;
        let (context, deadline) = (Arc::clone(&self.context), self.deadline);
        let connection = self.connected().await.map_err(Failed::AtBegin)?;
        let outcome = timeout(deadline, async {
            match Tx::begin(connection, &context, is_single).await {
                Ok(tx) => caught(run(tx, group)).await.map_err(Failed::Later),
                Err(fault) => Err(Failed::AtBegin(fault)),
            }
        });
        let late = Err(Failed::Later(Fault::Away("the database did not answer within the deadline")));
        match outcome.await.unwrap_or(late) {
            Ok(()) if context.planned.loses_reply() => Err(Failed::ReplyLost),
            Ok(()) => Ok(()),
            Err(failed) => {
                self.recover(&failed, is_single).await;
                Err(failed)
            }
        }
    }

    async fn connected(&mut self) -> Result<&mut PgConnection, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connector.connect(self.lane).await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Leaves no transaction open. A connection of which that is not sure is replaced.
    async fn recover(&mut self, failed: &Failed, is_single: bool) {
        let Some(mut connection) = self.connection.take() else { return };
        let (Failed::AtBegin(fault) | Failed::Later(fault)) = failed else {
            self.connection = Some(connection);
            return;
        };
        if fault.is_of_the_connection() {
            // Not closed in words: it may be deaf. Dropping closes the socket.
            return;
        }
        let rolled_back = async { if is_single { Ok(()) } else { connection.execute("rollback").await.map(drop) } };
        if matches!(timeout(self.deadline, rolled_back).await, Ok(Ok(()))) {
            self.connection = Some(connection);
        }
    }
}

/// Who goes with the first, as far as they fit, and the one that did not. Those nobody waits for any more are dropped.
fn gather(first: Operation, waiting: &mut mpsc::Receiver<Operation>) -> (Vec<Operation>, Option<Operation>) {
    let (mut group, mut rows, mut bytes) = (Vec::new(), 0, 0);
    let mut next = Some(first);
    while let Some(operation) = next.take() {
        if !operation.abandoned() {
            (rows, bytes) = (rows + operation.rows(), bytes + operation.bytes());
            if !group.is_empty() && (rows > GROUP_ROWS_MAX || bytes > GROUP_BYTES_MAX) {
                return (group, Some(operation));
            }
            group.push(operation);
        }
        if group.len() < GROUP_OPERATIONS_MAX {
            next = waiting.try_recv().ok();
        }
    }
    (group, None)
}

async fn run(mut tx: Tx<'_>, group: &mut [Operation]) -> Result<(), Fault> {
    for operation in group {
        tx.next_operation();
        operation.run(&mut tx).await?;
    }
    tx.commit().await
}

/// A panic is the fault of the operation that it is in: it must not end the lane, and everybody's writes with it.
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

/// Nothing is known to be written: the first learns why, the others that it was so.
fn refuse(group: Vec<Operation>, fault: Fault) {
    let others = fault.of_the_others();
    let mut fault = Some(fault);
    for operation in group {
        operation.answer(Err(fault.take().unwrap_or_else(|| others.of_the_others())));
    }
}
