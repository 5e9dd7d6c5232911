-- Counts the jobs in a range of ids, and those of them that are to be kept, because they live, are not past their retention, or are named by an open key: $1 from this id on, $2 before this id, $3 succeeded before, $4 dead before, $5 stopped before, $6 now.
select
    count(*),
    count(*) filter (
        where state < 3
            or finished_at >= case state when 3 then $3::bigint when 4 then $4 else $5 end
            or id in (select job_id from job_dedup where job_id >= $1 and job_id < $2 and (expires_at is null or expires_at > $6))
    )
from job
where id >= $1 and id < $2;
