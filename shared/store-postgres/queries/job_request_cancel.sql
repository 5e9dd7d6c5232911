-- Notes that running jobs shall be cancelled, where their workers find it: $1 to $3 ids.
with asked as (
    update job set cancel_requested = true
    where job.id = any($1::uuid[]) and job.id between $2 and $3 and job.state = 2
    returning worker_id, id, run
)
insert into cancel_asked (worker_id, job_id, run) select worker_id, id, run from asked
on conflict (worker_id, job_id) do update set run = excluded.run;
