-- Counts attempts that ended otherwise: $1 [minute, queue, kind, worker, retried, dead].
insert into job_stat (bucket, queue, kind, worker_id, retried, dead)
select (v ->> 0)::bigint, v ->> 1, v ->> 2, (v ->> 3)::uuid, (v ->> 4)::bigint, (v ->> 5)::bigint
from json_array_elements($1::json) as s (v)
on conflict (bucket, queue, kind, worker_id) do update set
    retried = job_stat.retried + excluded.retried,
    dead = job_stat.dead + excluded.dead;
