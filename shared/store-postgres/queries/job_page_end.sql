-- Reads the row where a bounded listing stopped, if there are more after it: $1 tenant, $2 before this id, $3 from this id on, $4 rows looked at.
-- The rows are passed over in the index; only the last one is read.
select last.id, job.created_at
from (
    select id from job
    where tenant = $1 and id < $2 and id >= $3
    order by id desc
    limit 1 offset $4 - 1
) as last
join job on job.id = last.id
where exists (select 1 from job where tenant = $1 and id < last.id and id >= $3);
