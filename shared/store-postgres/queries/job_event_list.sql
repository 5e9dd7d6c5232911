-- Reads a job's recorded transitions in their order: $1 job.
select at, run, from_state, to_state, waiting_for, actor, data, started_at, run_by from job_event where job_id = $1 order by id;
