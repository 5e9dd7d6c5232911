//! What may a person do to one job, and what remains of it in the books?

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Act, Job, JobId, JobState, TenantId};
use store::{Actor, Replay};

use crate::fault::Fault;
use crate::head::Head;
use crate::lane::{Lane, Write};
use crate::partition::SPACE_LOCK;
use crate::row::{clean, job};
use crate::steer::{Note, act};
use crate::tx::{Tx, sql, sql_of};

pub(crate) const JOB_BY_ID: &str = include_str!("../queries/job_by_id.sql");

/// The action was not done; nothing was written.
pub(crate) enum Refused {
    NotFound,
    Illegal(JobState),
}

/// A line of the audit log; the tenant is the one whose thing was changed.
pub(crate) struct Audit<'a> {
    pub(crate) tenant: &'a TenantId,
    pub(crate) action: &'a str,
    pub(crate) target: String,
    pub(crate) data: Option<String>,
}

/// Every change by a person leaves one in its own transaction (I12).
pub(crate) async fn write_audit(tx: &mut Tx<'_>, by: &Actor, audit: Audit<'_>) -> Result<(), Fault> {
    let statement = sql(include_str!("../queries/audit_insert.sql"))
        .bind(tx.now.micros())
        .bind(audit.tenant.to_string())
        .bind(clean(&by.name).into_owned())
        .bind(clean(&by.request_id).into_owned())
        .bind(audit.action.to_owned())
        .bind(audit.target)
        .bind(audit.data);
    tx.execute(statement).await?;
    Ok(())
}

/// Waits until nobody compacts partitions, and keeps others from it: an ended job that becomes live again might be overlooked.
async fn keep_partitions(tx: &mut Tx<'_>) -> Result<(), Fault> {
    tx.execute(sql(include_str!("../queries/space_share.sql")).bind(SPACE_LOCK)).await?;
    Ok(())
}

async fn job_of(tx: &mut Tx<'_>, tenant: &TenantId, id: JobId) -> Result<Job, Fault> {
    let statement = sql_of(JOB_BY_ID, [&id]).bind(tenant.to_string());
    let row = tx.row(statement).await?;
    row.as_ref().map(job).transpose()?.ok_or_else(|| Fault::rule("a job vanished inside its transaction"))
}

/// An act on one job.
pub(crate) struct ActOnOne {
    pub(crate) by: Actor,
    pub(crate) id: JobId,
    pub(crate) act: Act,
    pub(crate) reason: Option<String>,
    /// Takes the place of the payload of a job that is run again.
    pub(crate) payload: Option<Arc<str>>,
}

#[async_trait]
impl Write for ActOnOne {
    type Reply = Result<Replay, Refused>;
    const DOING: &'static str = "doing to a job what was asked";
    const LANE: Lane = Lane::Acts;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        if self.act == Act::Retry {
            keep_partitions(tx).await?;
        }
        let head = Head::read(tx, &[self.id]).await?.pop().filter(|head| head.tenant == self.by.tenant);
        let Some(head) = head else { return Ok(Err(Refused::NotFound)) };
        let state = head.state;
        let note = Note::of_one(&self.act, &self.by, self.reason.as_deref(), self.payload.is_some());
        let acted = act(tx, vec![head], &self.act, &note, self.payload.as_deref()).await?;
        if !acted.illegal.is_empty() {
            return Ok(Err(Refused::Illegal(state)));
        }
        let action = format!("job.{}", self.act.name());
        let audit = Audit { tenant: &self.by.tenant, action: &action, target: self.id.to_string(), data: note.data };
        write_audit(tx, &self.by, audit).await?;
        let job = job_of(tx, &self.by.tenant, self.id).await?;
        Ok(Ok(Replay { job, emissions: acted.emissions, next_timer: acted.next_timer }))
    }
}
