-- Notes which deaths were announced: $1 jobs, $2 the runs they died in.
update dead_letter set announced = true
from unnest($1::uuid[], $2::int[]) as a (job_id, run)
where dead_letter.job_id = a.job_id and dead_letter.run = a.run;
