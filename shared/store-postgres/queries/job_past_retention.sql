-- Looks at the jobs after an id that may be kept no longer, and tells which are past their time and named by no open key: $1 after this id, $2 before this id, $3 succeeded before, $4 dead before, $5 stopped before, $6 now, $7 rows to look at.
select
    looked.id,
    case looked.state when 3 then looked.finished_at < $3 when 4 then looked.finished_at < $4 else looked.finished_at < $5 end,
    exists (select 1 from job_dedup where job_dedup.job_id = looked.id and (expires_at is null or expires_at > $6))
from (
    select id, state, finished_at from job where id > $1 and id < $2 and state >= 3 order by id limit $7
) as looked
order by looked.id;
