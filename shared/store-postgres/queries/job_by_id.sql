-- Reads jobs of a tenant: $1 to $3 ids, $4 tenant.
select
    id, tenant, kind, queue, prio, state, waiting_for, run, attempt, max_attempts, crashes, cancel_requested, timeout_ms, created_at,
    run_at, start_before, started_at, finished_at, worker_id, progress, payload, result, error, tags, group_key, callback_url, trace
from job
where id = any($1::uuid[]) and id between $2 and $3 and tenant = $4;
