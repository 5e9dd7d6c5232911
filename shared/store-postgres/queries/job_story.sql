-- Reads what a job's own row tells of its timeline: $1 tenant, $2 job.
select created_at, state, waiting_for, run, started_at, finished_at, run_by from job where id = $2 and tenant = $1;
