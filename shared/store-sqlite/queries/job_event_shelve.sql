-- Notes in the timelines of live jobs that they were put on the shelf: ?1 ids, ?2 now, ?3 reason, ?4 actor, ?5 details.
insert into job_event (job_id, at, run, from_state, to_state, waiting_for, actor, data, started_at, run_by)
select id, ?2, run, state, 0, ?3, ?4, ?5, iif(state = 2, started_at, null), iif(state = 2, run_by, null)
from job
where id in (select unhex(value) from json_each(?1)) and state < 3;
