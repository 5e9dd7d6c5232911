-- Finds the queued ones of these jobs in one class whose start-before passed before any start: $1 to $3 ids, $4 queue, $5 prio, $6 now.
select job.id
from job
where job.id = any($1::uuid[]) and job.id between $2 and $3
    and job.state = 1 and job.queue = $4 and job.prio = $5 and not job.ever_started and job.start_before <= $6;
