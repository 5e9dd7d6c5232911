//! Have the jobs that went ahead of an operation succeeded?

use std::collections::HashMap;

use domain::bounds::{CANARIES_LOOK_EVERY, CANARIES_WAIT_MAX};
use domain::{JobId, JobState, OperationState, Timestamp, format_duration};

use crate::fault::Fault;
use crate::operation::OperationRow;
use crate::operation_step::put_off;
use crate::row::{Columns, job_list};
use crate::tx::{Tx, sql};

/// How a canary stands, and of what it died.
type Standing = (JobState, Option<String>);

/// Lets the operation go on, halts it, or lets it wait, which is what is returned.
pub(crate) async fn look(tx: &mut Tx<'_>, row: &mut OperationRow) -> Result<bool, Fault> {
    let rows = tx.rows(sql(include_str!("../queries/job_ends.sql")).bind(job_list(&row.canaries))).await?;
    let mut ends: HashMap<JobId, Standing> = HashMap::with_capacity(rows.len());
    for row in &rows {
        let mut c = Columns::of(row);
        let (id, state, code, message) = (c.job_id()?, c.state()?, c.maybe_text()?, c.maybe_text()?);
        ends.insert(id, (state, code.map(|code| format!("{code} ({})", message.unwrap_or_default()))));
    }
    let since = row.canary_since.unwrap_or(tx.now);
    match verdict(&row.canaries, &ends, tx.now.since(since) >= CANARIES_WAIT_MAX) {
        Verdict::Wait => {
            put_off(tx, row.operation.id.as_bytes(), tx.now + CANARIES_LOOK_EVERY).await?;
            return Ok(true);
        }
        Verdict::GoOn => row.operation.state = OperationState::Running,
        Verdict::Halt(why) => {
            row.operation.state = OperationState::Halted;
            row.operation.error = Some(why);
        }
    }
    let now: Timestamp = tx.now;
    row.advance(tx, now).await?;
    Ok(false)
}

#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    GoOn,
    Wait,
    Halt(String),
}

fn verdict(canaries: &[JobId], ends: &HashMap<JobId, Standing>, is_late: bool) -> Verdict {
    let mut open = None;
    for id in canaries {
        match ends.get(id) {
            None => return Verdict::Halt(format!("canary {id} is gone")),
            Some((JobState::Succeeded, _)) => {}
            Some((JobState::Dead, Some(error))) => return Verdict::Halt(format!("canary {id} is dead: {error}")),
            Some((state, _)) if state.is_terminal() => return Verdict::Halt(format!("canary {id} is {state}")),
            Some((state, _)) => open = open.or(Some((id, state))),
        }
    }
    match open {
        None => Verdict::GoOn,
        Some((id, state)) if is_late => {
            Verdict::Halt(format!("the canaries did not end within {}: {id} is {state}", format_duration(CANARIES_WAIT_MAX)))
        }
        Some(_) => Verdict::Wait,
    }
}
