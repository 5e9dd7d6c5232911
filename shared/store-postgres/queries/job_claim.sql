-- Claims the queued ones of these jobs in one class, for a worker with a live lease, and takes their hints off the ledger: $1 to $3 ids, $4 worker, $5 claim, $6 queue, $7 prio, $8 now, $9 hints, $10 shift of the clock. No row at all: the lease is not live; one without an id: nothing was taken.
-- Locking the worker's row keeps a claim from slipping behind its rescue.
with live as materialized (
    select id from worker where id = $4 and state = 0 and lease_until > flotilla_now() + $10 for key share
),
taken as (
    update job set
        state = 2,
        worker_id = $4,
        run_by = $4,
        claim_id = $5,
        run = job.run + 1,
        attempt = job.attempt + 1,
        started_at = $8
    where job.id = any($1::uuid[])
        and job.id between $2 and $3
        and job.state = 1
        and job.queue = $6
        and job.prio = $7
        and (job.start_before is null or job.start_before > $8 or job.ever_started)
        and exists (select 1 from live)
    returning job.id, job.run, job.claim_id, job.tenant, job.kind, job.queue, job.prio, job.payload, job.attempt, job.max_attempts, job.timeout_ms, job.due_at, job.started_at, job.cancel_requested, job.edits, job.trace
),
noted as (
    insert into claim (id, worker_id, at, job_ids)
    select $5, $4, $8, array_agg(id) from taken having count(*) > 0
),
unlisted as (
    delete from emission where id = any($9::uuid[]) and exists (select 1 from live)
)
select
    taken.id, taken.run, taken.claim_id, taken.tenant, taken.kind, taken.queue, taken.prio, taken.payload, taken.attempt, taken.max_attempts,
    taken.timeout_ms, taken.due_at, taken.started_at, taken.cancel_requested, taken.edits, taken.trace
from live left join taken on true;
