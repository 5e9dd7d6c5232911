//! What may people do to one job, and what remains of it in the books?

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Act, Consequence, Job, JobId, JobState, TenantId};
use serde_json::Value;
use store::{Actor, Replay};

use crate::audit::{Audit, asked_for, write_audit};
use crate::fault::Fault;
use crate::head::Head;
use crate::perform::{Note, Performed, perform};
use crate::row::{job, job_list};
use crate::tx::{Tx, sql};
use crate::write_queue::Write;

pub(crate) const JOB_BY_ID: &str = include_str!("../queries/job_by_id.sql");

/// The action was not done; nothing was written.
pub(crate) enum Refused {
    NotFound,
    Illegal(JobState),
}

async fn head_of(tx: &mut Tx<'_>, tenant: &TenantId, id: JobId) -> Result<Option<Head>, Fault> {
    Ok(Head::read(tx, &[id]).await?.pop().filter(|head| head.tenant == *tenant))
}

async fn job_of(tx: &mut Tx<'_>, tenant: &TenantId, id: JobId) -> Result<Job, Fault> {
    let statement = sql(JOB_BY_ID).bind(tenant.to_string()).bind(job_list([&id]));
    let row = tx.row(statement).await?;
    row.as_ref().map(job).transpose()?.ok_or_else(|| Fault::rule("a job vanished inside its transaction"))
}

/// One act on one job.
pub(crate) struct ActOn {
    pub(crate) by: Actor,
    pub(crate) id: JobId,
    pub(crate) act: Act,
    pub(crate) reason: Option<String>,
    /// Of a retry, instead of the job's own.
    pub(crate) payload: Option<Arc<str>>,
}

#[async_trait]
impl Write for ActOn {
    type Reply = Result<Replay, Refused>;
    const DOING: &'static str = "acting on a job";

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Reply, Fault> {
        let tenant = &self.by.tenant;
        let Some(head) = head_of(tx, tenant, self.id).await? else { return Ok(Err(Refused::NotFound)) };
        let note = Note { actor: format!("key:{}", self.by.name), data: self.data() };
        let performed = match self.act.consequence(&head.standing(), tx.now) {
            Consequence::Illegal => return Ok(Err(Refused::Illegal(head.state))),
            Consequence::Nothing => Performed::default(),
            Consequence::Happens(event) => perform(tx, &self.act, vec![(head, event)], self.payload.as_ref(), &note).await?,
        };
        let (action, target) = (format!("job.{}", self.act.name()), self.id.to_string());
        write_audit(tx, &self.by, Audit { tenant, action: &action, target, data: note.data }).await?;
        let Performed { emissions, next_timer, .. } = performed;
        Ok(Ok(Replay { job: job_of(tx, tenant, self.id).await?, emissions, next_timer }))
    }
}

impl ActOn {
    /// What was asked for and why, as both books keep it.
    fn data(&self) -> Option<String> {
        let mut data = asked_for(&self.act);
        data.extend(self.payload.is_some().then(|| ("edited".to_owned(), Value::Bool(true))));
        data.extend(self.reason.as_ref().map(|reason| ("reason".to_owned(), Value::String(reason.clone()))));
        (!data.is_empty()).then(|| Value::Object(data).to_string())
    }
}
