-- Groups the latest dead letters of a tenant by queue and what they died of, the group with the latest death first: $1 tenant, $2 rows to look at, $3 queue, $4 kind, $5 fingerprint, $6 reason, $7 dead after, $8 dead before, $9 limit.
select
    grouped.fingerprint, grouped.queue, latest.kind, latest.reason, job.error, grouped.letters, grouped.first_at, grouped.last_at, grouped.sample
from (
    select
        found.queue, found.fingerprint, count(*) as letters, min(found.at) as first_at, max(found.at) as last_at,
        (array_agg(found.job_id order by found.at desc, found.job_id desc))[1] as sample
    from (
        select job_id, queue, kind, fingerprint, reason, at from dead_letter where tenant = $1 order by job_id desc limit $2
    ) as found
    where ($3::text is null or found.queue = $3)
        and ($4::text is null or found.kind = $4)
        and ($5::text is null or found.fingerprint = $5)
        and ($6::text is null or found.reason = $6)
        and ($7::bigint is null or found.at > $7)
        and ($8::bigint is null or found.at < $8)
    group by found.queue, found.fingerprint
    order by last_at desc, sample desc
    limit $9
) as grouped
join dead_letter as latest on latest.job_id = grouped.sample
left join job on job.id = grouped.sample
order by grouped.last_at desc, grouped.sample desc;
