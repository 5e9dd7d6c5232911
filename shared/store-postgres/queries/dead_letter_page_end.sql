-- Reads the job where a bounded look at dead letters stopped, if there are more after it: $1 tenant, $2 before this id, $3 rows looked at.
select last.job_id
from (
    select job_id from dead_letter
    where tenant = $1 and job_id < $2
    order by job_id desc
    limit 1 offset $3 - 1
) as last
where exists (select 1 from dead_letter where tenant = $1 and job_id < last.job_id);
