-- Reads an endpoint of a tenant: $1 tenant, $2 name.
select tenant, name, url, sealed_secret, created_at, disabled_at, disabled_reason from endpoint where tenant = $1 and name = $2;
