-- Parks jobs under the key that they wait for: $1 [job, reason, key, prio, tenant, queue, kind].
insert into parked (job_id, reason, key, prio, tenant, queue, kind)
select (v ->> 0)::uuid, (v ->> 1)::smallint, v ->> 2, (v ->> 3)::smallint, v ->> 4, v ->> 5, v ->> 6
from json_array_elements($1::json) as p (v);
