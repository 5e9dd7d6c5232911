-- Reads a key, also a revoked one: $1 id.
select id, tenant, name, scopes, hash, created_at, revoked_at from api_key where id = $1;
