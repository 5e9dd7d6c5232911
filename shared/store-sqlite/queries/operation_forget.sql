-- Deletes operations that were over before a time: ?1 before, ?2 limit.
delete from operation where id in (select id from operation where finished_at < ?1 order by finished_at limit ?2);
