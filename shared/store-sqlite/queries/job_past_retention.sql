-- Looks at jobs that ended in a state long ago, oldest first, and tells which of them a key that is still open names: ?1 state, ?2 from, ?3 before, ?4 now, ?5 rows to look at.
select
    id, finished_at,
    exists (select 1 from job_dedup where job_dedup.job_id = job.id and (expires_at is null or expires_at > ?4))
from job
where state = ?1 and state >= 3 and finished_at >= ?2 and finished_at < ?3
order by finished_at
limit ?5;
