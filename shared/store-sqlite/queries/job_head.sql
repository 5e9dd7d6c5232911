-- Reads what transitions need to know of these jobs: ?1 ids.
select
    id, tenant, kind, queue, prio, state, run, attempt, max_attempts, crashes, cancel_requested, run_at, start_before, started_at,
    worker_id, run_by, run_base, ever_started, unique_key, callback_url is not null, waiting_for
from job
where id in (select unhex(value) from json_each(?1));
