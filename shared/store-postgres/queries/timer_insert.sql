-- Sets timers; one that is set already stays: $1 times, $2 jobs, $3 what.
insert into timer (run_at, job_id, what)
select run_at, job_id, what from unnest($1::bigint[], $2::uuid[], $3::smallint[]) as t (run_at, job_id, what)
on conflict do nothing;
