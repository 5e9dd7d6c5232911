//! What is handed to the broker for jobs that became queued?

use std::cmp::Reverse;
use std::collections::BTreeMap;

use domain::bounds::EMISSION_IDS_MAX;
use domain::{Class, Emission, JobId, Priority, QueueName, Timestamp};
use store::Mint;

/// Groups queued ids, in their order, into emissions of one class each.
pub(crate) fn emissions(queued: &[(QueueName, Priority, JobId)], mint: &Mint, now: Timestamp) -> Vec<Emission> {
    let mut by_class: BTreeMap<(Reverse<Priority>, &QueueName), Vec<JobId>> = BTreeMap::new();
    for (queue, priority, id) in queued {
        by_class.entry((Reverse(*priority), queue)).or_default().push(*id);
    }
    let mut emissions = Vec::new();
    for ((priority, queue), ids) in by_class {
        let class = Class { queue: queue.clone(), priority: priority.0 };
        emissions.extend(ids.chunks(EMISSION_IDS_MAX).map(|jobs| Emission {
            id: mint.emission(now),
            class: class.clone(),
            jobs: jobs.to_vec(),
        }));
    }
    emissions
}
