-- Takes back the records of deaths: $1 to $3 jobs.
delete from dead_letter where job_id = any($1::uuid[]) and job_id between $2 and $3;
