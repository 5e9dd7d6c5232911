-- Reads the queued jobs of a class, oldest first: ?1 queue, ?2 prio, ?3 limit.
select id from job where state = 1 and queue = ?1 and prio = ?2 order by id limit ?3;
