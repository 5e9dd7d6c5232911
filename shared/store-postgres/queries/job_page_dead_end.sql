-- Reads the dead job where a bounded listing stopped, if there are more dead letters after it: $1 tenant, $2 before this id, $3 from this id on, $4 rows looked at.
select last.job_id, job.created_at
from (
    select job_id from dead_letter
    where tenant = $1 and job_id < $2 and job_id >= $3
    order by job_id desc
    limit 1 offset $4 - 1
) as last
join job on job.id = last.job_id
where exists (select 1 from dead_letter where tenant = $1 and job_id < last.job_id and job_id >= $3);
