-- Reads a tenant's keys, newest first: $1 tenant.
select id, tenant, name, scopes, hash, created_at, revoked_at from api_key where tenant = $1 order by id desc;
