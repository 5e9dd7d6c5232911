//! Handlers of `/v1/dead_letters`: who died of what, and running the dead again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::bounds::{CANARIES_MAX, DEAD_GROUPS_MAX, OPERATION_IDS_MAX, PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, REASON_CHARS_MAX};
use domain::{Act, JobId, KindName, QueueName, Target, Timestamp};
use serde::Serialize;
use store::{DeadGroup, DeadLetter, DeadPage, Overview};

use crate::body;
use crate::desk::Desk;
use crate::filter;
use crate::form::{Form, plain};
use crate::operations::{Wanted, begun};
use crate::principal::Principal;
use crate::problem::Problem;
use crate::query::Query;

/// Characters of a fingerprint or an error's code that is asked for.
pub const WORD_CHARS_MAX: usize = 500;
/// Bytes of a request that names [`OPERATION_IDS_MAX`] jobs, with room for blanks.
const REPLAY_BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(REPLAY_BYTES_MAX > OPERATION_IDS_MAX * 48, "all ids that may be named must fit");

#[derive(Serialize)]
struct LetterView {
    job_id: JobId,
    queue: QueueName,
    kind: KindName,
    fingerprint: String,
    reason: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    attempts: u16,
    at: Timestamp,
}

impl From<DeadLetter> for LetterView {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { job, queue, kind, fingerprint, reason, message, hint, attempts, at } = letter;
        Self { job_id: job, queue, kind, fingerprint, reason, message, hint, attempts, at }
    }
}

#[derive(Serialize)]
struct Page {
    dead_letters: Vec<LetterView>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct GroupView {
    fingerprint: String,
    queue: QueueName,
    kind: KindName,
    reason: String,
    message: String,
    count: u64,
    first_at: Timestamp,
    last_at: Timestamp,
    sample: JobId,
}

impl From<DeadGroup> for GroupView {
    fn from(group: DeadGroup) -> Self {
        let DeadGroup { fingerprint, queue, kind, reason, message, count, first_at, last_at, sample } = group;
        Self { fingerprint, queue, kind, reason, message, count, first_at, last_at, sample }
    }
}

#[derive(Serialize)]
struct Groups {
    groups: Vec<GroupView>,
}

pub async fn list(State(overview): State<Arc<dyn Overview>>, principal: Principal, mut query: Query) -> Result<Response, Problem> {
    let tenant = query.take_tenant(&principal)?;
    let filter = filter::dead_letters(&mut query);
    let after = query.take("cursor", str::parse);
    let limit = query.take_limit(PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX);
    query.finish()?;
    let page = overview.dead_letters(&tenant, &DeadPage { filter, after, limit }).await?;
    let dead_letters = page.dead_letters.into_iter().map(LetterView::from).collect();
    Ok(Json(Page { dead_letters, cursor: page.next.map(|next| next.to_string()) }).into_response())
}

pub async fn groups(State(overview): State<Arc<dyn Overview>>, principal: Principal, mut query: Query) -> Result<Response, Problem> {
    let tenant = query.take_tenant(&principal)?;
    let filter = filter::dead_letters(&mut query);
    let limit = query.take_limit(PAGE_ROWS_DEFAULT, DEAD_GROUPS_MAX);
    query.finish()?;
    let groups = overview.dead_groups(&tenant, &filter, limit).await?;
    Ok(Json(Groups { groups: groups.into_iter().map(GroupView::from).collect() }).into_response())
}

pub async fn replay(State(desk): State<Desk>, principal: Principal, request: Request) -> Result<Response, Problem> {
    let body = body::json(request, REPLAY_BYTES_MAX).await?;
    let mut form = Form::of(body::text(&body)?, "", "invalid_request")?;
    let ids = ids(&mut form);
    let filter = filter::of_body(&mut form, "`\"fingerprint\"`", filter::dead_letters);
    let target = match (ids, filter) {
        (Some(_), Some(_)) => {
            form.fault("filter", "cannot be given together with `ids`");
            None
        }
        (Some(ids), None) => Some(Target::Ids(ids)),
        (None, Some(filter)) => Some(Target::Dead(filter)),
        (None, None) => {
            if !form.is_at_fault() {
                form.fault("ids", "is required, unless there is a `filter`");
            }
            None
        }
    };
    let canary = form.number("canary", 1..=CANARIES_MAX);
    let reason = form.required_text("reason", plain(REASON_CHARS_MAX));
    let (target, reason) = form.close_with(target.zip(reason))?;
    begun(&desk, &principal, Wanted { act: Act::Retry, target, reason, canary }).await
}

fn ids(form: &mut Form) -> Option<Vec<JobId>> {
    let texts = form.texts("ids")?;
    if !(1..=OPERATION_IDS_MAX).contains(&texts.len()) {
        form.fault("ids", format!("must be 1 to {OPERATION_IDS_MAX}"));
        return None;
    }
    let ids: Result<Vec<JobId>, _> = texts.iter().map(|text| text.parse()).collect();
    if let Err(error) = &ids {
        form.fault("ids", error.to_string());
    }
    ids.ok()
}
