-- Reads a tenant's operations, newest first: ?1 tenant, ?2 limit.
select
    id, tenant, act, target, reason, actor, request_id, state, canary, looked_at, done, skipped, error, created_at, updated_at, finished_at,
    canaries, canary_since, before
from operation
where tenant = ?1
order by created_at desc, id desc
limit ?2;
