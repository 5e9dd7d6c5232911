-- Adds to the jobs' timelines, in order: $1 [job, run, from, to, waiting for, data, started at, run by], $2 now, $3 actor.
insert into job_event (job_id, at, run, from_state, to_state, waiting_for, actor, data, started_at, run_by)
select
    (v ->> 0)::uuid, $2, (v ->> 1)::int, (v ->> 2)::smallint, (v ->> 3)::smallint, (v ->> 4)::smallint, $3, v ->> 5, (v ->> 6)::bigint,
    (v ->> 7)::uuid
from json_array_elements($1::json) with ordinality as e (v, place)
order by place;
