-- Deletes what belongs to deleted jobs: ?1 ids.
delete from job_log where job_id in (select unhex(value) from json_each(?1));
