-- Finds confirmed ledger rows that workers must have passed: published a while ago, before what was claimed of their class, and held by no live worker: $1 length of a while, $2 limit, $3 shift of the clock. Tells which of them list a queued job.
with mark as (
    select
        worker_mark.queue, worker_mark.prio, max(worker_mark.claimed_until) as claimed_until,
        min(worker_mark.held_since) filter (where worker.state = 0 and worker.lease_until > flotilla_now() + $3) as held_since
    from worker_mark
    join worker on worker.id = worker_mark.worker_id
    group by worker_mark.queue, worker_mark.prio
),
overtaken as (
    select emission.id, emission.job_ids
    from emission
    join mark on mark.queue = emission.queue and mark.prio = emission.prio
    where emission.published_at <= flotilla_now() + $3 - $1
        and emission.published_at < mark.claimed_until
        and (mark.held_since is null or emission.published_at < mark.held_since)
    order by emission.id
    limit $2
    for update of emission skip locked
)
select
    id,
    exists (
        select 1 from unnest(overtaken.job_ids) as m (id) join job on job.id = m.id where job.state = 1 and job.emission_id = overtaken.id
    )
from overtaken;
