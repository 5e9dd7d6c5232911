-- Queues an ended job again, as if it were new but for its run: ?1 job, ?2 its state, ?3 the next, ?4 now, ?5 edited payload.
update job set
    state = ?3,
    run_base = run,
    attempt = 0,
    crashes = 0,
    cancel_requested = 0,
    edits = edits + (?5 is not null),
    due_at = ?4,
    run_at = ?4,
    start_before = null,
    finished_at = null,
    progress = null,
    error = null,
    payload = coalesce(?5, payload)
where id = ?1 and state = ?2;
