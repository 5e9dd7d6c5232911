-- Reads a tenant's endpoints by name: $1 tenant.
select tenant, name, url, sealed_secret, created_at, disabled_at, disabled_reason from endpoint where tenant = $1 order by name;
