-- Finds jobs of a tenant, newest first, among the next rows of its listing: ?1 tenant, ?2 before this id, ?3 from this id on, ?4 rows to look at, ?5 state, ?6 kind, ?7 queue, ?8 tag, ?9 created after, ?10 created before, ?11 text in any of several columns, ?12 to ?13 ids that begin with it, ?14 limit.
-- Names are in small letters anyway. What only rare filters ask for is read for the rows that pass the others, not for all.
select page.id
from (
    select id, state, kind, queue, created_at from job
    where tenant = ?1 and id < ?2 and id >= ?3
    order by id desc
    limit ?4
) as page
where (?5 is null or page.state = ?5)
    and (?6 is null or page.kind = ?6)
    and (?7 is null or page.queue = ?7)
    and (?9 is null or page.created_at > ?9)
    and (?10 is null or page.created_at < ?10)
    and (?8 is null or exists (select 1 from job as j, json_each(j.tags) as tag where j.id = page.id and tag.value = ?8))
    and (
        ?11 is null
        or page.id between ?12 and ?13
        or exists (
            select 1 from job as j
            where j.id = page.id and (
                instr(j.kind, ?11) > 0
                or instr(j.queue, ?11) > 0
                or instr(lower(j.group_key), ?11) > 0
                or instr(lower(j.unique_key), ?11) > 0
                or instr(lower(j.error ->> 'code'), ?11) > 0
                or instr(lower(j.error ->> 'message'), ?11) > 0
                or exists (select 1 from json_each(j.tags) as tag where instr(lower(tag.value), ?11) > 0)
            )
        )
    )
limit ?14;
