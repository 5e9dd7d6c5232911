-- Ends attempts that succeeded, if they are this worker's at this run, and counts them: $1 to $3 ids, sorted and each once, $4 worker, $5 runs, $6 results, $7 progress (both may be empty), $8 now, $9 the minute.
with ended as (
    update job set
        state = 3,
        finished_at = $8,
        worker_id = null,
        error = null,
        result = ($6::text[])[width_bucket(job.id, $1)],
        progress = coalesce(($7::text[])[width_bucket(job.id, $1)], job.progress)
    where job.id = any($1::uuid[]) and job.id between $2 and $3
        and job.run = ($5::int[])[width_bucket(job.id, $1)] and job.worker_id = $4 and job.state = 2
    returning
        job.id, job.unique_key is not null as is_unique, job.callback_url is not null as calls_back, job.queue, job.prio, job.kind,
        greatest($8 - job.started_at, 0) as run_us, greatest(job.started_at - job.due_at, 0) as wait_us
),
counted as (
    insert into job_rate (bucket, queue, prio, kind, writer, succeeded, run_us, wait_us)
    select $9, queue, prio, kind, $4, count(*), sum(run_us), sum(wait_us) from ended group by queue, prio, kind
    on conflict (bucket, queue, prio, kind, writer) do update set
        succeeded = job_rate.succeeded + excluded.succeeded,
        run_us = job_rate.run_us + excluded.run_us,
        wait_us = job_rate.wait_us + excluded.wait_us
)
select count(*), array_agg(id) filter (where is_unique), array_agg(id) filter (where calls_back) from ended;
