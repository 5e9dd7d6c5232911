-- Ends attempts that succeeded, if they are this worker's at this run: ?1 [job, run, result, progress], ?2 worker, ?3 now.
-- The plus keeps the planner from searching all that the worker runs for each of them.
update job set
    state = 3,
    finished_at = ?3,
    worker_id = null,
    error = null,
    result = e.result,
    progress = coalesce(e.progress, job.progress)
from (
    select unhex(value ->> 0) as id, value ->> 1 as run, value ->> 2 as result, value ->> 3 as progress from json_each(?1)
) as e
where job.id = e.id and job.run = e.run and +job.worker_id = ?2 and job.state = 2
returning
    job.id, job.run, unique_key is not null, callback_url is not null, queue, prio, kind, max(?3 - started_at, 0), max(started_at - due_at, 0);
