-- Removes timers of jobs that wait for them no longer: $1 times, $2 jobs, $3 what.
delete from timer
using unnest($1::bigint[], $2::uuid[], $3::smallint[]) as t (run_at, job_id, what)
where timer.run_at = t.run_at and timer.job_id = t.job_id and timer.what = t.what;
