-- Counts a tenant's dead letters by queue and fingerprint, the group with the latest death first: ?1 tenant, ?2 queue, ?3 kind, ?4 fingerprint, ?5 reason, ?6 dead after, ?7 dead before, ?8 limit.
-- A fingerprint has one kind and one reason, so that these are asked of groups: counting reads nothing but its index.
with found as (
    select queue, fingerprint, count(*) as deaths, min(at) as first_at, max(at) as last_at
    from dead_letter
    where tenant = ?1
        and (?2 is null or queue = ?2)
        and (?4 is null or fingerprint = ?4)
        and (?6 is null or at > ?6)
        and (?7 is null or at < ?7)
    group by queue, fingerprint
),
sampled as (
    select *, (
        select max(job_id) from dead_letter as letter
        where letter.tenant = ?1 and letter.queue = found.queue and letter.fingerprint = found.fingerprint and letter.at = found.last_at
    ) as sample
    from found
)
select
    sampled.fingerprint, sampled.queue, letter.kind, letter.reason, job.error ->> 'message', sampled.deaths, sampled.first_at,
    sampled.last_at, sampled.sample
from sampled
cross join dead_letter as letter on letter.job_id = sampled.sample
cross join job on job.id = sampled.sample
where (?3 is null or letter.kind = ?3) and (?5 is null or letter.reason = ?5)
order by sampled.last_at desc, sampled.sample desc
limit ?8;
