-- Finds the queued ones of these jobs in one class: $1 to $3 ids, $4 queue, $5 prio.
select job.id
from job
where job.id = any($1::uuid[]) and job.id between $2 and $3
    and job.state = 1 and job.queue = $4 and job.prio = $5
order by job.id;
