-- Reads a tenant's latest audit rows, newest first: $1 tenant, $2 limit.
select at, tenant, actor, request_id, action, target, data from audit where tenant = $1 order by id desc limit $2;
