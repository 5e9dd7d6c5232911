-- Reads those of a claim's jobs that its worker still runs under it: $1 to $3 ids, $4 worker, $5 claim.
select job.id, job.run, job.claim_id, job.tenant, job.kind, job.queue, job.prio, job.payload, job.attempt, job.max_attempts, job.timeout_ms, job.due_at, job.started_at, job.cancel_requested, job.edits, job.trace
from job
where job.id = any($1::uuid[]) and job.id between $2 and $3 and job.state = 2 and job.worker_id = $4 and job.claim_id = $5
order by job.id;
