-- Finds which of these ends the worker recorded, now or before, or were turned into a cancel: $1 to $3 ids, $4 runs, $5 states, $6 others that they may have been turned into, $7 worker, $8 its name as actor.
select e.id, e.run
from unnest($1::uuid[], $4::int[], $5::smallint[], $6::smallint[]) as e (id, run, state, other)
where exists (
        select 1 from job
        where job.id = e.id and job.id between $2 and $3 and job.run = e.run and job.run_by = $7 and job.state = 3 and e.state = 3
    )
    or exists (
        select 1 from job_event as v
        where v.job_id = e.id and v.job_id between $2 and $3 and v.run = e.run and v.actor = $8 and v.from_state = 2
            and (v.to_state = e.state or v.to_state = e.other or (v.to_state = 5 and e.state <> 3))
    );
