-- Reads the operation that has waited longest for its turn: ?1 now.
select
    id, tenant, act, target, reason, actor, request_id, state, canary, looked_at, done, skipped, error, created_at, updated_at, finished_at,
    canaries, canary_since, before
from operation
where state < 2 and turn_at <= ?1
order by turn_at, id
limit 1;
