-- Closes the uniqueness windows of deleted jobs: ?1 ids.
delete from job_dedup
where (tenant, space, key) in (
        select tenant, 1, unique_key from job
        where id in (select unhex(value) from json_each(?1)) and unique_key is not null
    )
    and job_id in (select unhex(value) from json_each(?1));
