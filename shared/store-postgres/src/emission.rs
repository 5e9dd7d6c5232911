//! What is handed to the broker for jobs that became queued, and what does the ledger keep of it?

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use domain::bounds::EMISSION_RETRY_AFTER;
use domain::{Class, Emission, EmissionId, JobId, Priority, QueueName, Timestamp};
use uuid::Uuid;

use crate::fault::Fault;
use crate::tx::{Context, Tx, sql};

/// A job that becomes queued, and where.
pub(crate) type Queued = (QueueName, Priority, JobId);

/// Groups queued ids, in their order, into emissions of one class each, packed as the pace of their queue allows.
pub(crate) fn pack(queued: &[Queued], context: &Context, now: Timestamp) -> Vec<Emission> {
    let mut by_class: BTreeMap<(Reverse<Priority>, &QueueName), Vec<JobId>> = BTreeMap::new();
    for (queue, priority, id) in queued {
        by_class.entry((Reverse(*priority), queue)).or_default().push(*id);
    }
    let mut emissions = Vec::new();
    for ((priority, queue), ids) in by_class {
        let class = Class { queue: queue.clone(), priority: priority.0 };
        let emission = |jobs: &[JobId]| Emission { id: context.mint.emission(now), class: class.clone(), jobs: jobs.to_vec() };
        emissions.extend(ids.chunks(context.paces.pack(queue)).map(emission));
    }
    emissions
}

/// Which emission lists which job.
pub(crate) fn listed(emissions: &[Emission]) -> HashMap<JobId, EmissionId> {
    emissions.iter().flat_map(|emission| emission.jobs.iter().map(|job| (*job, emission.id))).collect()
}

/// Emissions as the columns of their ledger rows.
#[derive(Default)]
pub(crate) struct LedgerRows {
    pub(crate) ids: Vec<Uuid>,
    pub(crate) queues: Vec<String>,
    pub(crate) prios: Vec<i16>,
    /// The first and the last of its jobs in `jobs`, counted from 1.
    pub(crate) firsts: Vec<i32>,
    pub(crate) lasts: Vec<i32>,
    pub(crate) jobs: Vec<Uuid>,
}

impl LedgerRows {
    pub(crate) fn of(emissions: &[Emission]) -> Self {
        let mut rows = Self::default();
        for emission in emissions {
            let before = rows.jobs.len();
            rows.jobs.extend(emission.jobs.iter().map(|job| *job.as_uuid()));
            rows.ids.push(*emission.id.as_uuid());
            rows.queues.push(emission.class.queue.to_string());
            rows.prios.push(i16::from(emission.class.priority.code()));
            rows.firsts.push(i32::try_from(before + 1).unwrap_or(i32::MAX));
            rows.lasts.push(i32::try_from(rows.jobs.len()).unwrap_or(i32::MAX));
        }
        rows
    }
}

/// Writes the ledger rows of jobs that this transaction makes queued (I16).
pub(crate) async fn record(tx: &mut Tx<'_>, emissions: &[Emission]) -> Result<(), Fault> {
    if emissions.is_empty() {
        return Ok(());
    }
    let LedgerRows { ids, queues, prios, firsts, lasts, jobs } = LedgerRows::of(emissions);
    let statement = sql(include_str!("../queries/emission_insert.sql")).bind(ids).bind(queues).bind(prios).bind(firsts).bind(lasts);
    tx.execute(statement.bind(jobs).bind((tx.now + EMISSION_RETRY_AFTER).micros())).await?;
    Ok(())
}
