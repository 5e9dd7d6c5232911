-- Notes that a running job shall be cancelled, where its worker finds it: $1 job.
with asked as (
    update job set cancel_requested = true where id = $1 and state = 2 returning worker_id, id, run
)
insert into cancel_asked (worker_id, job_id, run) select worker_id, id, run from asked
on conflict (worker_id, job_id) do update set run = excluded.run;
