-- Queues ended jobs again, as if they were new but for their run: ?1 [job, its state], ?2 the next state, ?3 now, ?4 edited payload.
update job set
    state = ?2,
    run_base = run,
    attempt = 0,
    crashes = 0,
    cancel_requested = 0,
    edits = edits + (?4 is not null),
    due_at = ?3,
    run_at = ?3,
    start_before = null,
    finished_at = null,
    progress = null,
    error = null,
    payload = coalesce(?4, payload)
from (select unhex(value ->> 0) as id, value ->> 1 as state from json_each(?1)) as e
where job.id = e.id and job.state = e.state;
