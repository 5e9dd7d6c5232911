-- Takes up the open operation that has waited longest for its turn; those that other processes work on are left to them: $1 shift of the clock.
select
    id, tenant, act, target, reason, actor, request_id, state, canary, looked_at, done, skipped, error, created_at, updated_at, finished_at,
    place, canaries, canaries_at
from operation
where state < 2 and turn_at <= flotilla_now() + $1
order by turn_at, id
limit 1
for update skip locked;
