-- Gives parked jobs the places of another priority: ?1 ids, ?2 prio.
update parked set prio = ?2 where job_id in (select unhex(value) from json_each(?1));
