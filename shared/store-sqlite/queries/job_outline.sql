-- Reads jobs of a tenant without what may be large, payload and result: ?1 tenant, ?2 ids.
select
    id, tenant, kind, queue, prio, state, waiting_for, run, attempt, max_attempts, crashes, cancel_requested, timeout_ms, created_at,
    run_at, start_before, started_at, finished_at, worker_id, progress, '' as payload, null as result, error, tags, group_key, callback_url,
    trace
from job
where id in (select unhex(value) from json_each(?2)) and tenant = ?1;
