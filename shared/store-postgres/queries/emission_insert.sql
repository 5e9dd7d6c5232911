-- Writes ledger rows: $1 ids, $2 queues, $3 prios, $4 and $5 first and last of their jobs in $6, $7 when they are due again.
insert into emission (id, queue, prio, retry_at, job_ids)
select e.id, e.queue, e.prio, $7, ($6::uuid[])[e.first:e.last]
from unnest($1::uuid[], $2::text[], $3::smallint[], $4::int[], $5::int[]) as e (id, queue, prio, first, last);
