//! Which jobs does an operation come across next? Newest first, and only those that were there when it began.

use std::cmp::Reverse;
use std::time::Duration;

use domain::bounds::PAGE_SCAN_ROWS_MAX;
use domain::{DeadFilter, JobFilter, JobId, JobState, Operation, Target, Timestamp};

use crate::dead_letter::Letters;
use crate::fault::Fault;
use crate::head::Head;
use crate::listing::Scan;
use crate::row::{Columns, job_ids};
use crate::tx::{Sql, Tx};

/// Rows that one step looks at.
const ROWS_MAX: usize = PAGE_SCAN_ROWS_MAX + PAGE_SCAN_ROWS_MAX / 10;

/// What is on the way.
pub(crate) struct Ahead {
    pub(crate) jobs: Vec<JobId>,
    /// Where a look that found too few stopped, though there is more.
    stopped: Option<JobId>,
    /// More jobs of the target than were asked for.
    pub(crate) has_more: bool,
}

impl Ahead {
    /// Up to `limit` jobs of the target after a place.
    pub(crate) async fn of(tx: &mut Tx<'_>, operation: &Operation, place: Option<JobId>, limit: usize) -> Result<Self, Fault> {
        match &operation.target {
            Target::Ids(ids) => Ok(Self::among(ids, place, limit)),
            Target::Jobs(filter) => {
                let scan = Scan::of(&operation.tenant, &jobs_until(filter, operation.created_at), place);
                Self::look(tx, scan.end(), scan.find(ROWS_MAX, limit + 1), limit).await
            }
            Target::Dead(filter) => {
                let letters = Letters::of(&operation.tenant, &deaths_until(filter, operation.created_at), place);
                Self::look(tx, letters.end(), letters.find(ROWS_MAX, limit + 1), limit).await
            }
        }
    }

    fn among(ids: &[JobId], place: Option<JobId>, limit: usize) -> Self {
        let mut jobs: Vec<JobId> = ids.iter().copied().filter(|id| place.is_none_or(|place| *id < place)).collect();
        jobs.sort_unstable_by_key(|id| Reverse(*id));
        jobs.dedup();
        let has_more = jobs.len() > limit;
        jobs.truncate(limit);
        Self { jobs, stopped: None, has_more }
    }

    /// Two statements, between which others go on: so the end comes first, and more rows are looked at than lay before it. What is
    /// deleted or comes in between cannot hide anything.
    async fn look(tx: &mut Tx<'_>, end: Sql, find: Sql, limit: usize) -> Result<Self, Fault> {
        let end = tx.row(end).await?.map(|row| Columns::of(&row).job_id()).transpose()?;
        let mut jobs = job_ids(&tx.rows(find).await?)?;
        jobs.retain(|id| end.is_none_or(|end| *id >= end));
        let has_more = jobs.len() > limit;
        jobs.truncate(limit);
        let stopped = end.filter(|_| !has_more);
        Ok(Self { jobs, stopped, has_more })
    }

    /// Nothing of the target lies beyond.
    pub(crate) fn is_the_rest(&self) -> bool {
        !self.has_more && self.stopped.is_none()
    }

    /// Where to go on when its jobs were looked at.
    pub(crate) fn place(&self) -> Option<JobId> {
        self.stopped.or(self.jobs.last().copied())
    }
}

/// Whether a job is still what the target names, now that it is locked.
pub(crate) fn is_meant(operation: &Operation, head: &Head) -> bool {
    let state = match &operation.target {
        Target::Ids(_) => None,
        Target::Jobs(filter) => filter.state,
        Target::Dead(_) => Some(JobState::Dead),
    };
    head.tenant == operation.tenant && state.is_none_or(|state| head.state == state)
}

/// Narrows a filter to jobs that were accepted until then.
fn jobs_until(filter: &JobFilter, at: Timestamp) -> JobFilter {
    JobFilter { created_before: Some(until(filter.created_before, at)), ..filter.clone() }
}

fn deaths_until(filter: &DeadFilter, at: Timestamp) -> DeadFilter {
    DeadFilter { dead_before: Some(until(filter.dead_before, at)), ..filter.clone() }
}

/// Filters end before a time: the present one still counts.
fn until(before: Option<Timestamp>, at: Timestamp) -> Timestamp {
    let after = at + Duration::from_micros(1);
    before.map_or(after, |before| before.min(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> JobId {
        JobId::from_bytes([n; 16])
    }

    #[test]
    fn ids_are_walked_once_each_from_the_newest_on() {
        let ids = [id(1), id(3), id(2), id(3)];
        let first = Ahead::among(&ids, None, 2);
        assert_eq!((&first.jobs[..], first.has_more, first.place()), (&[id(3), id(2)][..], true, Some(id(2))));
        let rest = Ahead::among(&ids, first.place(), 2);
        assert_eq!((&rest.jobs[..], rest.is_the_rest()), (&[id(1)][..], true));
        assert!(Ahead::among(&ids, rest.place(), 2).jobs.is_empty());
    }

    #[test]
    fn only_what_was_there_is_meant() {
        let at = Timestamp::from_micros(10);
        let before = |before| jobs_until(&JobFilter { created_before: before, ..JobFilter::default() }, at).created_before;
        assert_eq!(before(None), Some(Timestamp::from_micros(11)));
        assert_eq!(before(Some(Timestamp::from_micros(5))), Some(Timestamp::from_micros(5)));
        assert_eq!(before(Some(Timestamp::from_micros(50))), Some(Timestamp::from_micros(11)));
        assert_eq!(deaths_until(&DeadFilter::default(), at).dead_before, Some(Timestamp::from_micros(11)));
    }
}
