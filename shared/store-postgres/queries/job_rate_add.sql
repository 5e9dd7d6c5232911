-- Counts attempts that ended otherwise: $1 [minute, queue, prio, kind, writer, retried, dead].
insert into job_rate (bucket, queue, prio, kind, writer, retried, dead)
select (v ->> 0)::bigint, v ->> 1, (v ->> 2)::smallint, v ->> 3, (v ->> 4)::uuid, (v ->> 5)::bigint, (v ->> 6)::bigint
from json_array_elements($1::json) as s (v)
on conflict (bucket, queue, prio, kind, writer) do update set
    retried = job_rate.retried + excluded.retried,
    dead = job_rate.dead + excluded.dead;
