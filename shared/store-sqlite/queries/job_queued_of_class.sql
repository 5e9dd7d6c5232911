-- Finds the queued ones of these jobs in one class: ?1 ids, ?2 queue, ?3 prio.
select id from job
where id in (select unhex(value) from json_each(?1)) and state = 1 and queue = ?2 and prio = ?3
order by id;
