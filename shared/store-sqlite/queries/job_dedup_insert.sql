-- Opens keys; one that expired is taken over, the caller has looked.
insert into job_dedup (tenant, space, key, job_id, request_hash, expires_at) values (?, ?, ?, ?, ?, ?)
on conflict (tenant, space, key) do update
set job_id = excluded.job_id, request_hash = excluded.request_hash, expires_at = excluded.expires_at;
