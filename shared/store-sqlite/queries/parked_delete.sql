-- Takes jobs out of their parking places: ?1 ids.
delete from parked where job_id in (select unhex(value) from json_each(?1));
