//! How do many small submissions share a commit? Whatever waits when the previous flush has returned goes into the next one.
//!
//! The callers of a flush share its transaction, and its statement. When a flush fails, it is split until only the guilty fails.

use std::sync::Arc;
use std::time::Duration;

use domain::NewJob;
use domain::bounds::FLUSH_JOBS_MAX;
use parking_lot::Mutex;
use store::{EnqueueError, Enqueued};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::enqueue::{Enqueue, KeyReused};
use crate::fault::Fault;
use crate::lane::{Lanes, Write as _};

/// Calls that may wait; callers beyond that wait for a place, within their deadline.
const WAITING_MAX: usize = 2_048;
/// Bytes of payloads in one flush, unless one call alone has more.
const FLUSH_BYTES_MAX: usize = 8 * 1024 * 1024;

type Outcome = Result<Enqueued, EnqueueError>;

struct Call {
    jobs: Vec<NewJob>,
    reply: oneshot::Sender<Outcome>,
}

impl Call {
    fn bytes(&self) -> usize {
        self.jobs.iter().map(|job| job.payload.len()).sum()
    }
}

/// The callers' side.
pub(crate) struct Batcher {
    entrance: Mutex<Option<mpsc::Sender<Call>>>,
    task: Mutex<Option<tokio::task::JoinHandle<()>>>,
    deadline: Duration,
}

impl Batcher {
    pub(crate) fn start(lanes: Arc<Lanes>, deadline: Duration) -> Self {
        let (entrance, calls) = mpsc::channel(WAITING_MAX);
        let task = tokio::spawn(serve(lanes, calls));
        Self { entrance: Mutex::new(Some(entrance)), task: Mutex::new(Some(task)), deadline }
    }

    pub(crate) async fn enqueue(&self, jobs: Vec<NewJob>) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let wait = async {
            let away = || EnqueueError::Store(Fault::Away("the store is shut down").into_error(Enqueue::DOING));
            let entrance = self.entrance.lock().clone().ok_or_else(away)?;
            entrance.send(Call { jobs, reply }).await.map_err(|_| away())?;
            drop(entrance);
            answer.await.unwrap_or_else(|_| Err(away()))
        };
        let late = Fault::Away("the database did not answer within the deadline");
        timeout(self.deadline, wait).await.unwrap_or_else(|_| Err(EnqueueError::Store(late.into_error(Enqueue::DOING))))
    }

    /// How many calls wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.entrance.lock().as_ref().map_or(0, |entrance| entrance.max_capacity() - entrance.capacity())
    }

    /// Lets what waits finish. Later calls are refused.
    pub(crate) async fn close(&self) {
        self.entrance.lock().take();
        let task = self.task.lock().take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    /// Stops as a killed process would.
    pub(crate) async fn kill(&self) {
        if let Some(task) = &*self.task.lock() {
            task.abort();
        }
        self.close().await;
    }
}

async fn serve(lanes: Arc<Lanes>, mut calls: mpsc::Receiver<Call>) {
    let mut kept = None;
    loop {
        let first = match kept.take() {
            Some(kept) => kept,
            None => match calls.recv().await {
                Some(first) => first,
                None => return,
            },
        };
        let flush;
        (flush, kept) = gather(first, &mut calls);
        write(&lanes, flush).await;
    }
}

/// Who goes with the first, as far as they fit, and the one that did not. Those nobody waits for any more are dropped.
fn gather(first: Call, calls: &mut mpsc::Receiver<Call>) -> (Vec<Call>, Option<Call>) {
    let (mut flush, mut jobs, mut bytes) = (Vec::new(), 0, 0);
    let mut next = Some(first);
    while let Some(call) = next.take() {
        if !call.reply.is_closed() {
            (jobs, bytes) = (jobs + call.jobs.len(), bytes + call.bytes());
            if !flush.is_empty() && (jobs > FLUSH_JOBS_MAX || bytes > FLUSH_BYTES_MAX) {
                return (flush, Some(call));
            }
            flush.push(call);
        }
        next = calls.try_recv().ok();
    }
    (flush, None)
}

/// Commits a flush; one that fails, in halves.
async fn write(lanes: &Lanes, flush: Vec<Call>) {
    let mut left = vec![flush];
    while let Some(mut flush) = left.pop() {
        // Who was answered that it took too long must not find it done all the same, if that can be helped.
        flush.retain(|call| !call.reply.is_closed());
        if flush.is_empty() {
            continue;
        }
        let jobs = flush.iter_mut().map(|call| std::mem::take(&mut call.jobs)).collect();
        let operation = Arc::new(Enqueue { calls: jobs });
        let outcome = lanes.try_write(Shared(Arc::clone(&operation))).await;
        match outcome {
            Ok(replies) => answer(flush, replies),
            Err(fault) if flush.len() > 1 && is_a_callers(&fault) => {
                // What was lent for the flush is given back; nobody else holds it by now.
                let calls = Arc::try_unwrap(operation).map(|operation| operation.calls).unwrap_or_else(|shared| shared.calls.clone());
                flush.iter_mut().zip(calls).for_each(|(call, jobs)| call.jobs = jobs);
                let later = flush.split_off(flush.len() / 2);
                left.push(later);
                left.push(flush);
            }
            Err(fault) => refuse(flush, fault),
        }
    }
}

/// A fault in the data may be one caller's alone; an outage is everybody's.
fn is_a_callers(fault: &Fault) -> bool {
    fault.is_of_an_operation() || !(fault.is_of_the_connection() || fault.is_of_waiting() || fault.is_for_want_of_space())
}

fn answer(flush: Vec<Call>, replies: Vec<Result<Enqueued, KeyReused>>) {
    for (call, reply) in flush.into_iter().zip(replies) {
        // Nobody listens any more: the jobs are recorded all the same.
        let _ = call.reply.send(reply.map_err(|KeyReused(index)| EnqueueError::KeyReused { index }));
    }
}

fn refuse(flush: Vec<Call>, fault: Fault) {
    let others = fault.of_the_others();
    let mut fault = Some(fault);
    for call in flush {
        let fault = fault.take().unwrap_or_else(|| others.of_the_others());
        let _ = call.reply.send(Err(EnqueueError::Store(fault.into_error(Enqueue::DOING))));
    }
}

/// An operation that is lent to the lane, so that it can be split when it fails.
struct Shared(Arc<Enqueue>);

#[async_trait::async_trait]
impl crate::lane::Write for Shared {
    type Reply = <Enqueue as crate::lane::Write>::Reply;
    const DOING: &'static str = Enqueue::DOING;
    const LANE: crate::lane::Lane = Enqueue::LANE;

    fn rows(&self) -> usize {
        self.0.rows()
    }

    fn bytes(&self) -> usize {
        self.0.bytes()
    }

    fn alone(&self) -> crate::lane::Alone {
        self.0.alone()
    }

    async fn run(&self, tx: &mut crate::tx::Tx<'_>) -> Result<Self::Reply, Fault> {
        self.0.run(tx).await
    }
}
