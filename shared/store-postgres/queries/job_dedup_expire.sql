-- Deletes expired keys, oldest first: $1 now, $2 limit.
delete from job_dedup
where (tenant, space, key) in (select tenant, space, key from job_dedup where expires_at <= $1 order by expires_at limit $2);
