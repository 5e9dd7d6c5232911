//! What else happens when a job has ended, whichever way?

use std::sync::Arc;

use domain::{Emission, Job, JobId, NewJob, Priority};

use crate::fault::Fault;
use crate::insert::insert_jobs;
use crate::options::CallbackKind;
use crate::row::job;
use crate::tx::{Tx, sql_of};
use crate::worker::insert_queues;

/// Closes the windows of jobs that were unique until their end, and queues the callbacks of those that asked for one.
/// Returns the callbacks' emissions. A window that was closed stays closed when the job is replayed.
pub(crate) async fn ended(tx: &mut Tx<'_>, unique: &[JobId], callbacks: &[JobId]) -> Result<Vec<Emission>, Fault> {
    if !unique.is_empty() {
        tx.execute(sql_of(include_str!("../queries/job_dedup_close.sql"), unique)).await?;
    }
    match &tx.context.callback {
        Some(kind) if !callbacks.is_empty() => call_back(tx, kind.clone(), callbacks).await,
        _ => Ok(Vec::new()),
    }
}

async fn call_back(tx: &mut Tx<'_>, kind: CallbackKind, ended: &[JobId]) -> Result<Vec<Emission>, Fault> {
    let rows = tx.rows(sql_of(include_str!("../queries/job_full.sql"), ended)).await?;
    let mut callbacks = Vec::with_capacity(rows.len());
    for row in &rows {
        match job(row) {
            Ok(ended) => callbacks.push(callback(&kind, &ended, tx.context.mint.job(tx.now))),
            // Its end must stand all the same, and that of the others.
            Err(fault) => tracing::error!(error = %fault, "what is stored of a job cannot be read; nobody is told of its end"),
        }
    }
    insert_queues(tx, &[kind.queue]).await?;
    Ok(insert_jobs(tx, &callbacks.iter().collect::<Vec<_>>(), &[]).await?.emissions)
}

fn callback(kind: &CallbackKind, ended: &Job, id: JobId) -> NewJob {
    NewJob {
        id,
        tenant: ended.tenant.clone(),
        kind: kind.kind.clone(),
        queue: kind.queue.clone(),
        priority: Priority::Normal,
        payload: Arc::from((kind.payload)(ended)),
        run_at: None,
        start_before: None,
        max_attempts: kind.max_attempts,
        timeout: kind.timeout,
        tags: Vec::new(),
        group: None,
        callback_url: None,
        unique: None,
        idempotency: None,
        trace: ended.trace,
    }
}
