-- Deletes what belongs to deleted jobs: ?1 ids.
delete from dead_letter where job_id in (select unhex(value) from json_each(?1));
