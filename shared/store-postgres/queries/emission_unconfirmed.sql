-- Takes up unconfirmed ledger rows whose time has come, and puts them off, each time twice as long: $1 limit, $2 first wait, $3 longest wait, $4 shift of the clock. Tells which of them list a queued job.
with due as (
    select id from emission
    where published_at is null and retry_at <= flotilla_now() + $4
    order by retry_at
    limit $1
    for update skip locked
),
put_off as (
    update emission set
        tries = least(emission.tries + 1, 30),
        retry_at = flotilla_now() + $4 + least($2 * (2 ^ least(emission.tries + 1, 20))::bigint, $3)
    from due
    where emission.id = due.id
    returning emission.id, emission.queue, emission.prio, emission.job_ids
)
select
    id, queue, prio, job_ids,
    exists (
        select 1 from unnest(put_off.job_ids) as m (id) join job on job.id = m.id where job.state = 1 and job.emission_id = put_off.id
    )
from put_off
order by id;
