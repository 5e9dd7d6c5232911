-- Finds which of these ends the worker recorded before, or were turned into a cancel: ?1 [job, run, state, another that it may have been turned into], ?2 worker, ?3 its name as actor.
select e.id, e.run
from (select unhex(value ->> 0) as id, value ->> 1 as run, value ->> 2 as state, value ->> 3 as other from json_each(?1)) as e
where exists (
        select 1 from job
        where job.id = e.id and job.run = e.run and job.run_by = ?2 and job.state = 3 and e.state = 3
    )
    or exists (
        select 1 from job_event as v
        where v.job_id = e.id and v.run = e.run and v.actor = ?3 and v.from_state = 2
            and (v.to_state = e.state or v.to_state = e.other or (v.to_state = 5 and e.state <> 3))
    );
