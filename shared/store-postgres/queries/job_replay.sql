-- Queues an ended job again, as if it were new but for its run: $1 job, $2 its state, $3 the next, $4 now, $5 edited payload, $6 emission.
update job set
    state = $3,
    run_base = run,
    attempt = 0,
    crashes = 0,
    cancel_requested = false,
    edits = edits + ($5::text is not null)::int,
    due_at = $4,
    run_at = $4,
    start_before = null,
    finished_at = null,
    progress = null,
    error = null,
    emission_id = $6,
    payload = coalesce($5, payload)
where id = $1 and state = $2;
