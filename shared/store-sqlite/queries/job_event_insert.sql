-- Adds to the jobs' timelines.
insert into job_event (job_id, at, run, from_state, to_state, waiting_for, actor, data, started_at, run_by) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?);
