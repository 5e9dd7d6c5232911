-- Opens keys, and takes over those that expired; one that another process opened meanwhile stays: $1 tenants, $2 spaces, $3 keys, $4 jobs, $5 hashes, $6 expiries, $7 now.
insert into job_dedup (tenant, space, key, job_id, request_hash, expires_at)
select tenant, space, key, job_id, request_hash, expires_at
from unnest($1::text[], $2::smallint[], $3::text[], $4::uuid[], $5::bytea[], $6::bigint[])
    as k (tenant, space, key, job_id, request_hash, expires_at)
order by tenant, space, key
on conflict (tenant, space, key) do update
set job_id = excluded.job_id, request_hash = excluded.request_hash, expires_at = excluded.expires_at
where job_dedup.expires_at <= $7 or job_dedup.job_id = excluded.job_id;
