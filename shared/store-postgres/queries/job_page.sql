-- Finds jobs of a tenant, newest first, among the next rows of its listing: $1 tenant, $2 before this id, $3 from this id on, $4 rows to look at, $5 state, $6 kind, $7 queue, $8 tag, $9 created after, $10 created before, $11 text to search for in small letters, $12 and $13 the first and the last id that begin with it, $14 limit.
-- An error that holds the character NUL, which no text here can hold, is searched as it is written.
select page.id
from (
    select id, state, kind, queue, tags, created_at, group_key, unique_key, error from job
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
    and (
        $11::text is null
        or page.id between $12::uuid and $13::uuid
        or position($11 in lower(concat_ws(
            E'\n', page.kind, page.queue, page.group_key, page.unique_key,
            case
                when page.error like '%\\u0000%' then page.error
                else concat_ws(E'\n', page.error::json ->> 'code', page.error::json ->> 'message')
            end
        ) collate "C")) > 0
        or exists (select 1 from json_array_elements_text(page.tags::json) as tag (value) where position($11 in lower(value collate "C")) > 0)
    )
order by page.id desc
limit $14;
