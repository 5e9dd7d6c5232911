-- Claims the queued ones of these jobs in one class, for a worker with a live lease: ?1 ids, ?2 worker, ?3 claim, ?4 queue, ?5 prio, ?6 now, ?7 now on the lease clock.
update job set
    state = 2,
    worker_id = ?2,
    run_by = ?2,
    claim_id = ?3,
    run = run + 1,
    attempt = attempt + 1,
    started_at = ?6
where id in (select unhex(value) from json_each(?1))
    and state = 1
    and queue = ?4
    and prio = ?5
    and (start_before is null or start_before > ?6 or ever_started = 1)
    and exists (select 1 from worker where worker.id = ?2 and worker.state = 0 and worker.lease_until > ?7)
returning
    id, run, claim_id, tenant, kind, queue, prio, payload, attempt, max_attempts, timeout_ms, due_at, started_at,
    cancel_requested, edits, trace;
