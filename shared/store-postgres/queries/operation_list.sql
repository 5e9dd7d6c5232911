-- Reads a tenant's latest operations, newest first: $1 tenant, $2 limit.
select
    id, tenant, act, target, reason, actor, request_id, state, canary, looked_at, done, skipped, error, created_at, updated_at, finished_at
from operation
where tenant = $1
order by id desc
limit $2;
