-- Queues ended jobs again, as if they were new but for their run: $1 to $3 ids, sorted and each once, $4 the next state, $5 now, $6 edited payload, $7 the emissions that list them. Success is not among the ends.
update job set
    state = $4,
    run_base = run,
    attempt = 0,
    crashes = 0,
    cancel_requested = false,
    edits = edits + ($6::text is not null)::int,
    due_at = $5,
    run_at = $5,
    start_before = null,
    finished_at = null,
    progress = null,
    error = null,
    emission_id = ($7::uuid[])[width_bucket(job.id, $1)],
    payload = coalesce($6, payload)
where job.id = any($1::uuid[]) and job.id between $2 and $3 and job.state > 3;
