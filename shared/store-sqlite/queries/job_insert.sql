-- Records new jobs; one that is there already stays as it is.
insert into job (
    id, tenant, kind, queue, prio, state, waiting_for, max_attempts, timeout_ms, created_at, due_at, run_at, start_before,
    unique_key, group_key, callback_url, trace, tags, payload
) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do nothing;
