-- Finds jobs that ended in a state long ago, oldest first: ?1 state, ?2 before, ?3 limit.
select id from job where state = ?1 and state >= 3 and finished_at < ?2 order by finished_at limit ?3;
