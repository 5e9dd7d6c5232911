-- Finds dead jobs of a tenant, newest first, among its next dead letters: parameters as in job_page, but for ?5, which says nothing.
select page.job_id
from (
    select job_id, kind, queue from dead_letter
    where tenant = ?1 and job_id < ?2 and job_id >= ?3
    order by job_id desc
    limit ?4
) as page
cross join job as j on j.id = page.job_id
where j.state = 4
    and ?5 is not null
    and (?6 is null or page.kind = ?6)
    and (?7 is null or page.queue = ?7)
    and (?9 is null or j.created_at > ?9)
    and (?10 is null or j.created_at < ?10)
    and (?8 is null or exists (select 1 from json_each(j.tags) as tag where tag.value = ?8))
    and (
        ?11 is null
        or page.job_id between ?12 and ?13
        or instr(j.kind, ?11) > 0
        or instr(j.queue, ?11) > 0
        or instr(lower(j.group_key), ?11) > 0
        or instr(lower(j.unique_key), ?11) > 0
        or instr(lower(j.error ->> 'code'), ?11) > 0
        or instr(lower(j.error ->> 'message'), ?11) > 0
        or exists (select 1 from json_each(j.tags) as tag where instr(lower(tag.value), ?11) > 0)
    )
limit ?14;
