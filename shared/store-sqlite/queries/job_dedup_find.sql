-- Finds what keys stand for, expired or not.
with wanted (tenant, space, key) as (values (?, ?, ?))
select d.tenant, d.space, d.key, d.job_id, d.request_hash, d.expires_at
from wanted as w
join job_dedup as d on d.tenant = w.tenant and d.space = w.space and d.key = w.key;
