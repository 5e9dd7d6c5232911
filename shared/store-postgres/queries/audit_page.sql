-- Reads audit rows of a tenant, newest first, among the next of them: $1 tenant, $2 before this row, $3 rows to look at, $4 actor, $5 action, $6 target, $7 limit.
select page.id, page.at, page.tenant, page.actor, page.request_id, page.action, page.target, page.data
from (
    select id, at, tenant, actor, request_id, action, target, data from audit
    where tenant = $1 and id < $2
    order by id desc
    limit $3
) as page
where ($4::text is null or page.actor = $4)
    and ($5::text is null or page.action = $5)
    and ($6::text is null or page.target = $6)
order by page.id desc
limit $7;
