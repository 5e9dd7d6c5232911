-- Records kinds as their workers know them now: $1 [name, queue, schema, attempts, timeout, retry, effects].
insert into kind (name, queue, schema, max_attempts, timeout_ms, retry, effects)
select v ->> 0, v ->> 1, v ->> 2, (v ->> 3)::int, (v ->> 4)::bigint, v ->> 5, v ->> 6
from json_array_elements($1::json) as k (v)
order by v ->> 0
on conflict (name) do update set
    queue = excluded.queue, schema = excluded.schema, max_attempts = excluded.max_attempts, timeout_ms = excluded.timeout_ms,
    retry = excluded.retry, effects = excluded.effects
where kind is distinct from excluded;
