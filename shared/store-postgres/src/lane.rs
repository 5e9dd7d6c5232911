//! Who writes, and when is it durable? A few lanes, each with a task and a connection of its own, and group commit.
//!
//! A lane's writer takes whatever waits, runs it in one transaction, commits, and answers everybody. While it commits, the next
//! group gathers: the clock is the commit itself, no timer adds latency. When an operation of a group fails or panics, the group is
//! rolled back and each operation runs again in a transaction of its own, so that only the guilty fails. Operations are therefore
//! re-runnable: they read their input and never consume it. What is in each other's way in two processes is tried again at once.
//!
//! Lanes are apart so that what keeps workers alive never waits behind what fills the store. A claim and its adoption share a
//! lane, because adopting relies on coming after the claim.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use store::StoreError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::connection::Connector;
use crate::fault::Fault;
use crate::tx::{Context, Tx};
use crate::writer::Writer;

/// Operations that may wait in one lane; callers beyond that wait for a place, within their deadline.
const WAITING_MAX: usize = 512;
/// How long one partition may take to be compacted.
const SPACE_WITHIN: Duration = Duration::from_secs(100);

/// Which way an operation goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    /// Submissions.
    Intake,
    /// Claims and adoptions.
    Claims,
    /// Ends of attempts, parking.
    Ends,
    /// Registrations and renewals: durable enough without waiting for the disk.
    Leases,
    /// Effects of handlers.
    Effects,
    /// What people do.
    Acts,
    /// What duties do.
    Duties,
    /// Dropping and compacting partitions, which may take long.
    Space,
}

impl Lane {
    pub(crate) const ALL: [Self; 8] =
        [Self::Intake, Self::Claims, Self::Ends, Self::Leases, Self::Effects, Self::Acts, Self::Duties, Self::Space];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Claims => "claims",
            Self::Ends => "ends",
            Self::Leases => "leases",
            Self::Effects => "effects",
            Self::Acts => "acts",
            Self::Duties => "duties",
            Self::Space => "space",
        }
    }

    /// How long a write may take here, where the others may take `usual`.
    pub(crate) const fn deadline(self, usual: Duration) -> Duration {
        match self {
            Self::Intake | Self::Claims | Self::Ends | Self::Leases | Self::Effects | Self::Acts | Self::Duties => usual,
            Self::Space => SPACE_WITHIN,
        }
    }
}

/// What an operation is when it is the only one of its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Alone {
    /// Several statements, which need a transaction around them.
    Transaction,
    /// One statement, which is a transaction of its own.
    OneStatement,
    /// One statement that may also be done twice.
    Repeatable,
}

/// One operation that writes: all of it happens in one transaction, or nothing.
#[async_trait]
pub(crate) trait Write: Send + Sync + 'static {
    type Reply: Send + 'static;
    /// For error messages: "recording jobs".
    const DOING: &'static str;
    /// Which way it takes.
    const LANE: Lane;

    /// About how many rows it touches.
    fn rows(&self) -> usize {
        1
    }

    /// About how many bytes it writes, where that may be much.
    fn bytes(&self) -> usize {
        0
    }

    /// What it is when nothing else runs with it.
    fn alone(&self) -> Alone {
        Alone::Transaction
    }

    /// Runs it, perhaps twice. A refusal that is no fault is part of the reply and must have written nothing.
    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault>;
}

/// An operation with somebody waiting for it, whatever its reply is.
#[async_trait]
pub(crate) trait Waiting: Send {
    fn rows(&self) -> usize;
    fn bytes(&self) -> usize;
    fn alone(&self) -> Alone;
    fn abandoned(&self) -> bool;
    async fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Fault>;
    /// Answers: what the last run returned, if that was committed.
    fn answer(self: Box<Self>, outcome: Result<(), Fault>);
}

/// The callers' side of the lanes.
pub(crate) struct Lanes {
    entrances: parking_lot::RwLock<Vec<mpsc::Sender<Box<dyn Waiting>>>>,
    tasks: parking_lot::Mutex<Vec<tokio::task::JoinHandle<()>>>,
    in_hand: Vec<InHand>,
    used: [AtomicBool; Lane::ALL.len()],
    deadline: Duration,
}

/// Since when a lane has had the work that it has in hand; `None`: it has nothing to do.
pub(crate) type InHand = Arc<parking_lot::Mutex<Option<tokio::time::Instant>>>;

impl Lanes {
    pub(crate) fn start(connector: &Arc<Connector>, context: &Arc<Context>, deadline: Duration) -> Self {
        let (mut entrances, mut tasks, mut in_hand) = (Vec::new(), Vec::new(), Vec::new());
        for lane in Lane::ALL {
            let (entrance, waiting) = mpsc::channel(WAITING_MAX);
            entrances.push(entrance);
            let writer = Writer::new(lane, Arc::clone(connector), Arc::clone(context), lane.deadline(deadline));
            in_hand.push(writer.in_hand());
            tasks.push(tokio::spawn(writer.serve(waiting)));
        }
        Self { entrances: entrances.into(), tasks: tasks.into(), in_hand, used: Default::default(), deadline }
    }

    /// Waits for the operation's commit. Dropping the future loses the reply; an operation that had not begun is skipped.
    pub(crate) async fn write<W: Write>(&self, operation: W) -> Result<W::Reply, StoreError> {
        self.try_write(operation).await.map_err(|fault| fault.into_error(W::DOING))
    }

    /// Like [`Lanes::write`], with the fault itself.
    pub(crate) async fn try_write<W: Write>(&self, operation: W) -> Result<W::Reply, Fault> {
        self.used[W::LANE as usize].store(true, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        let waiting = Box::new(Pending { operation, reply: Some(reply), done: None });
        let wait = async {
            let away = || Fault::Away("the store is shut down");
            let entrance = self.entrances.read().get(W::LANE as usize).cloned().ok_or_else(away)?;
            entrance.send(waiting).await.map_err(|_| away())?;
            drop(entrance);
            answer.await.unwrap_or_else(|_| Err(away()))
        };
        timeout(W::LANE.deadline(self.deadline), wait).await.unwrap_or(Err(Fault::Away("the database did not answer within the deadline")))
    }

    /// Anything was ever written there: it has a connection.
    pub(crate) fn is_used(&self, lane: Lane) -> bool {
        self.used[lane as usize].load(Ordering::Relaxed)
    }

    /// Whether a lane has work in hand.
    pub(crate) fn is_writing(&self) -> bool {
        self.in_hand.iter().any(|in_hand| in_hand.lock().is_some())
    }

    /// How many operations wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.entrances.read().iter().map(|entrance| entrance.max_capacity() - entrance.capacity()).sum()
    }

    /// Fails when a lane has not got done within its deadline what it has in hand.
    pub(crate) fn check(&self) -> Result<(), Fault> {
        let stuck = |(lane, in_hand): (Lane, &InHand)| in_hand.lock().is_some_and(|since| since.elapsed() > lane.deadline(self.deadline));
        let stuck = Lane::ALL.into_iter().zip(&self.in_hand).any(stuck);
        if stuck { Err(Fault::Away("what is to be written has not been written within its deadline")) } else { Ok(()) }
    }

    /// Lets what waits finish. Later writes are refused. Twice is no error.
    pub(crate) async fn close(&self) {
        self.entrances.write().clear();
        let tasks = std::mem::take(&mut *self.tasks.lock());
        for task in tasks {
            let _ = task.await;
        }
    }

    /// Stops as a killed process would: between two statements, without commit.
    pub(crate) async fn kill(&self) {
        self.tasks.lock().iter().for_each(tokio::task::JoinHandle::abort);
        self.close().await;
    }
}

struct Pending<W: Write> {
    operation: W,
    reply: Option<oneshot::Sender<Result<W::Reply, Fault>>>,
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

    fn alone(&self) -> Alone {
        self.operation.alone()
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
            let _ = caller.send(reply);
        }
    }
}
