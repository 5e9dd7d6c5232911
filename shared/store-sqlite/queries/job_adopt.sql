-- Reads what a claim took and its worker still runs: ?1 worker, ?2 claim.
select
    id, run, claim_id, tenant, kind, queue, prio, payload, attempt, max_attempts, timeout_ms, due_at, started_at,
    cancel_requested, edits, trace
from job
where state = 2 and worker_id = ?1 and claim_id = ?2
order by id;
