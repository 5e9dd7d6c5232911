-- Deletes operations that ended long ago, oldest first: $1 before this time, $2 limit.
delete from operation where id in (select id from operation where state >= 2 and finished_at < $1 order by finished_at limit $2);
