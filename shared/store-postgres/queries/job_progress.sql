-- Notes how far running jobs have come, as far as nobody is busy with them: $1 to $3 ids, $4 [job, run, progress], $5 worker.
update job set progress = p.progress
from (
    select (v ->> 0)::uuid as id, (v ->> 1)::int as run, v ->> 2 as progress from json_array_elements($4::json) as x (v)
) as p
where job.id = p.id
    and job.id = any(array(select id from job where id = any($1::uuid[]) and id between $2 and $3 order by id for no key update skip locked))
    and job.id between $2 and $3 and job.run = p.run and job.worker_id = $5 and job.state = 2;
