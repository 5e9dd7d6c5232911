-- Records how an effect ended, if the job is this worker's at this run, and answers with that and with whether it was ever begun: $1 job, $2 worker, $3 run, $4 name, $5 key, $6 state, $7 handle, $8 now. What is confirmed stays.
with mine as materialized (
    select id from job where id = $1 and worker_id = $2 and run = $3 and state = 2 for key share
),
ended as (
    update effect set state = $6, run = $3, handle = $7, at = $8
    where job_id = $1 and name = $4 and key = $5 and state <> 1 and exists (select 1 from mine)
)
select exists (select 1 from mine), exists (select 1 from effect where job_id = $1 and name = $4 and key = $5);
