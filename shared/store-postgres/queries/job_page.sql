-- Finds jobs of a tenant, newest first, among the next rows of its listing: $1 tenant, $2 before this id, $3 from this id on, $4 rows to look at, $5 state, $6 kind, $7 queue, $8 tag, $9 created after, $10 created before, $11 limit.
select page.id
from (
    select id, state, kind, queue, tags, created_at from job
    where tenant = $1 and id < $2 and id >= $3
    order by id desc
    limit $4
) as page
where ($5::bigint is null or page.state = $5)
    and ($6::text is null or page.kind = $6)
    and ($7::text is null or page.queue = $7)
    and ($8::text is null or exists (select 1 from json_array_elements_text(page.tags::json) as tag (value) where value = $8))
    and ($9::bigint is null or page.created_at > $9)
    and ($10::bigint is null or page.created_at < $10)
order by page.id desc
limit $11;
