-- Records jobs that died; a job that died before replaces its old record: $1 [job, tenant, queue, kind, fingerprint, reason, run, attempts], $2 now.
insert into dead_letter (job_id, tenant, queue, kind, fingerprint, reason, run, attempts, at)
select (v ->> 0)::uuid, v ->> 1, v ->> 2, v ->> 3, v ->> 4, v ->> 5, (v ->> 6)::int, (v ->> 7)::smallint, $2
from json_array_elements($1::json) as d (v)
on conflict (job_id) do update set
    fingerprint = excluded.fingerprint, reason = excluded.reason, run = excluded.run, attempts = excluded.attempts, at = excluded.at,
    announced = false;
