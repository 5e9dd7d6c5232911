-- Reads dead letters of a tenant, newest job first, among the next of them: $1 tenant, $2 before this id, $3 rows to look at, $4 queue, $5 kind, $6 fingerprint, $7 reason, $8 dead after, $9 dead before, $10 limit.
select page.job_id, page.queue, page.kind, page.fingerprint, page.reason, job.error, page.attempts, page.at
from (
    select looked.job_id, looked.queue, looked.kind, looked.fingerprint, looked.reason, looked.attempts, looked.at
    from (
        select job_id, queue, kind, fingerprint, reason, attempts, at from dead_letter
        where tenant = $1 and job_id < $2
        order by job_id desc
        limit $3
    ) as looked
    where ($4::text is null or looked.queue = $4)
        and ($5::text is null or looked.kind = $5)
        and ($6::text is null or looked.fingerprint = $6)
        and ($7::text is null or looked.reason = $7)
        and ($8::bigint is null or looked.at > $8)
        and ($9::bigint is null or looked.at < $9)
    order by looked.job_id desc
    limit $10
) as page
left join job on job.id = page.job_id
order by page.job_id desc;
