-- Notes in the timelines of live jobs that they were put on the shelf: $1 to $3 ids, $4 now, $5 reason, $6 actor, $7 details.
insert into job_event (job_id, at, run, from_state, to_state, waiting_for, actor, data, started_at, run_by)
select
    id, $4, run, state, 0, $5, $6, $7, case when state = 2 then started_at end, case when state = 2 then run_by end
from job
where id = any($1::uuid[]) and id between $2 and $3 and state < 3;
