-- Finds the queued ones of these jobs in one class whose start-before passed before any start: ?1 ids, ?2 queue, ?3 prio, ?4 now.
select id from job
where id in (select unhex(value) from json_each(?1)) and state = 1 and queue = ?2 and prio = ?3 and ever_started = 0 and start_before <= ?4;
