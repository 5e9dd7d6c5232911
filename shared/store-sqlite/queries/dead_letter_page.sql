-- Finds dead letters of a tenant, newest id first, among the next rows of its listing: ?1 tenant, ?2 before this id, ?3 rows to look at, ?4 queue, ?5 kind, ?6 fingerprint, ?7 reason, ?8 dead after, ?9 dead before, ?10 limit.
select page.job_id
from (
    select job_id, queue, kind, fingerprint, reason, at from dead_letter
    where tenant = ?1 and job_id < ?2
    order by job_id desc
    limit ?3
) as page
where (?4 is null or page.queue = ?4)
    and (?5 is null or page.kind = ?5)
    and (?6 is null or page.fingerprint = ?6)
    and (?7 is null or page.reason = ?7)
    and (?8 is null or page.at > ?8)
    and (?9 is null or page.at < ?9)
limit ?10;
