//! What may people do to a job, and what remains of it in the books?

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Event, Job, JobId, JobState, TenantId};
use store::{Actor, Replay};

use crate::emission;
use crate::event::{JobEvent, insert_events};
use crate::fault::Fault;
use crate::head::Head;
use crate::lane::{Lane, Write};
use crate::moves::{Move, Timer, apply, delete_timers};
use crate::partition::SPACE_LOCK;
use crate::row::{TimerKind, clean, job};
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
    pub(crate) action: &'static str,
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
        .bind(audit.action)
        .bind(audit.target)
        .bind(audit.data);
    tx.execute(statement).await?;
    Ok(())
}

async fn head_of(tx: &mut Tx<'_>, tenant: &TenantId, id: JobId) -> Result<Option<Head>, Fault> {
    Ok(Head::read(tx, &[id]).await?.pop().filter(|head| head.tenant == *tenant))
}

async fn job_of(tx: &mut Tx<'_>, tenant: &TenantId, id: JobId) -> Result<Job, Fault> {
    let statement = sql_of(JOB_BY_ID, [&id]).bind(tenant.to_string());
    let row = tx.row(statement).await?;
    row.as_ref().map(job).transpose()?.ok_or_else(|| Fault::rule("a job vanished inside its transaction"))
}

/// Cancels a job, or asks the worker that runs it to.
pub(crate) struct Cancel {
    pub(crate) by: Actor,
    pub(crate) id: JobId,
    pub(crate) reason: Option<String>,
}

#[async_trait]
impl Write for Cancel {
    type Reply = Result<Replay, Refused>;
    const DOING: &'static str = "cancelling a job";
    const LANE: Lane = Lane::Acts;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let Some(head) = head_of(tx, &self.by.tenant, self.id).await? else { return Ok(Err(Refused::NotFound)) };
        let Some(to) = head.state.after(Event::CancelAsked) else { return Ok(Err(Refused::Illegal(head.state))) };
        let actor = format!("key:{}", self.by.name);
        let data = self.reason.as_ref().map(|reason| serde_json::json!({ "reason": reason }).to_string());
        let mut emissions = Vec::new();
        if to == head.state {
            self.ask(tx, &head, data.clone(), &actor).await?;
        } else {
            let moves = [Move::new(head, Event::CancelAsked)?.because(data.clone())];
            emissions = apply(tx, &moves, &actor).await?.emissions;
        }
        let audit = Audit { tenant: &self.by.tenant, action: "job.cancel", target: self.id.to_string(), data };
        write_audit(tx, &self.by, audit).await?;
        Ok(Ok(Replay { job: job_of(tx, &self.by.tenant, self.id).await?, emissions }))
    }
}

impl Cancel {
    /// Leaves a running job running; asked twice, the timeline shows the first.
    async fn ask(&self, tx: &mut Tx<'_>, head: &Head, data: Option<String>, actor: &str) -> Result<(), Fault> {
        if head.cancel_requested {
            return Ok(());
        }
        tx.execute(sql(include_str!("../queries/job_request_cancel.sql")).bind(*self.id.as_uuid())).await?;
        insert_events(tx, &[JobEvent { head, to: head.state, waiting_for: None, data }], actor).await
    }
}

/// Runs an ended job again.
pub(crate) struct Retry {
    pub(crate) by: Actor,
    pub(crate) id: JobId,
    pub(crate) payload: Option<Arc<str>>,
}

#[async_trait]
impl Write for Retry {
    type Reply = Result<Replay, Refused>;
    const DOING: &'static str = "replaying a job";
    const LANE: Lane = Lane::Acts;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        // Not while its partition is compacted: an ended job that becomes live again might be overlooked.
        tx.execute(sql(include_str!("../queries/space_share.sql")).bind(SPACE_LOCK)).await?;
        let Some(head) = head_of(tx, &self.by.tenant, self.id).await? else { return Ok(Err(Refused::NotFound)) };
        let Some(to) = head.state.after(Event::Replayed) else { return Ok(Err(Refused::Illegal(head.state))) };
        let id = *self.id.as_uuid();
        let mut emissions = emission::pack(&[(head.queue.clone(), head.priority, self.id)], tx.context, tx.now);
        let Some(listed) = emissions.pop() else { return Err(Fault::rule("a job in no emission")) };
        let statement = sql(include_str!("../queries/job_replay.sql"))
            .bind(id)
            .bind(i64::from(head.state.code()))
            .bind(i64::from(to.code()))
            .bind(tx.now.micros())
            .bind(self.payload.as_deref().map(str::to_owned))
            .bind(*listed.id.as_uuid());
        if tx.execute(statement).await? != 1 {
            return Err(Fault::rule("a job changed inside its transaction"));
        }
        tx.execute(sql(include_str!("../queries/dead_letter_delete.sql")).bind(id)).await?;
        emission::record(tx, std::slice::from_ref(&listed)).await?;
        let expiry: Vec<Timer> = head.start_before.iter().map(|at| (*at, self.id, TimerKind::Expire)).collect();
        delete_timers(tx, &expiry).await?;
        let data = self.payload.is_some().then(|| r#"{"edited":true}"#.to_owned());
        let event = JobEvent { head: &head, to, waiting_for: None, data: data.clone() };
        insert_events(tx, &[event], &format!("key:{}", self.by.name)).await?;
        let audit = Audit { tenant: &self.by.tenant, action: "job.retry", target: self.id.to_string(), data };
        write_audit(tx, &self.by, audit).await?;
        Ok(Ok(Replay { job: job_of(tx, &self.by.tenant, self.id).await?, emissions: vec![listed] }))
    }
}
