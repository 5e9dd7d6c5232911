-- Reads an operation of a tenant: $1 tenant, $2 id.
select
    id, tenant, act, target, reason, actor, request_id, state, canary, looked_at, done, skipped, error, created_at, updated_at, finished_at
from operation
where id = $2 and tenant = $1;
