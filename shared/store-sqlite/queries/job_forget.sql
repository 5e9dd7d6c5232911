-- Deletes ended jobs: ?1 ids.
delete from job where id in (select unhex(value) from json_each(?1)) and state >= 3;
