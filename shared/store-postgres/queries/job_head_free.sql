-- Like job_head, but jobs that another transaction has locked are left out, for those who can come back later: $1 to $3 ids.
select
    job.id, job.tenant, job.kind, job.queue, job.prio, job.state, job.run, job.attempt, job.max_attempts, job.crashes,
    job.cancel_requested, job.run_at, job.start_before, job.started_at, job.worker_id, job.run_by, job.run_base, job.ever_started,
    job.unique_key, job.callback_url is not null, job.waiting_for
from job
where job.id = any($1::uuid[]) and job.id between $2 and $3
order by job.id
for update of job skip locked;
