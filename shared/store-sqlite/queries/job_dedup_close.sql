-- Closes the uniqueness windows that last until their job ends: ?1 ids of jobs that ended.
delete from job_dedup
where (tenant, space, key) in (
        select tenant, 1, unique_key from job
        where id in (select unhex(value) from json_each(?1)) and unique_key is not null
    )
    and expires_at is null
    and job_id in (select unhex(value) from json_each(?1));
