-- Writes down the intent to make an effect, if the job is this worker's at this run and its lease is live, and answers with that and with what was known: $1 job, $2 worker, $3 run, $4 name, $5 key, $6 now, $7 shift of the clock.
-- What is confirmed stays, and so does an intent of this very run; an intent of an earlier one, or an unknown end, becomes unknown.
with mine as materialized (
    select id from job where id = $1 and worker_id = $2 and run = $3 and state = 2 for key share
),
live as materialized (
    select id from worker where id = $2 and state = 0 and lease_until > flotilla_now() + $7 for key share
),
known as materialized (
    select state, run, handle from effect where job_id = $1 and name = $4 and key = $5
),
written as (
    insert into effect (job_id, name, key, state, run, handle, at)
    select $1, $4, $5, case when exists (select 1 from known where state in (0, 3)) then 3 else 0 end, $3, null, $6
    where exists (select 1 from mine)
        and exists (select 1 from live)
        and not exists (select 1 from known where state = 1 or (state = 0 and run = $3))
    on conflict (job_id, name) do update set
        key = excluded.key, state = excluded.state, run = excluded.run, handle = excluded.handle, at = excluded.at
        where effect.key <> excluded.key or not (effect.state = 1 or (effect.state = 0 and effect.run = excluded.run))
)
select exists (select 1 from mine) and exists (select 1 from live), known.state, known.run, known.handle
from (select 1) as answer
left join known on true;
