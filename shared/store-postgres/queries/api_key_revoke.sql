-- Revokes a key of a tenant; the first time counts: $1 id, $2 tenant, $3 now.
update api_key set revoked_at = coalesce(revoked_at, $3) where id = $1 and tenant = $2;
