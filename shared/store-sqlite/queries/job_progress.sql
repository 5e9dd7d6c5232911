-- Notes how far running jobs have come: ?1 [job, run, progress], ?2 worker.
-- The plus keeps the planner from searching all that the worker runs for each of them.
update job set progress = p.progress
from (select unhex(value ->> 0) as id, value ->> 1 as run, value ->> 2 as progress from json_each(?1)) as p
where job.id = p.id and job.run = p.run and +job.worker_id = ?2 and job.state = 2;
