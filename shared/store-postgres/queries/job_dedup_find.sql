-- Finds what keys stand for, expired or not: $1 tenants, $2 spaces, $3 keys.
select d.tenant, d.space, d.key, d.job_id, d.request_hash, d.expires_at
from unnest($1::text[], $2::smallint[], $3::text[]) as w (tenant, space, key)
join job_dedup as d on d.tenant = w.tenant and d.space = w.space and d.key = w.key;
