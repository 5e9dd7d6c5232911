-- Moves jobs that wait, or are queued, into other classes of their queues: ?1 ids, ?2 prio.
update job set prio = ?2 where id in (select unhex(value) from json_each(?1)) and state < 2;
